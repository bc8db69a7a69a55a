/**
 * What every filling of `TunDevice` promises, as tests to run against it. The runner is passed in, so
 * that this entry depends on none.
 *
 * @packageDocumentation
 */
import { batchOf, packetsOf, type TunDevice } from '../index.ts'

/**
 * A device under test and somebody behind it: the host's side of the device, or a stand-in for it. Packets may be
 * changed on the way in nothing but their IP header (a kernel that forwards lowers the TTL).
 */
export interface TunLink {
  /** The device under test. */
  readonly device: TunDevice
  /** Returns an IP packet of this many bytes, marked with a number, that {@link TunLink.inject} can carry. */
  inbound(length: number, mark: number): Uint8Array
  /** Returns an IP packet of this many bytes, marked with a number, that the host takes from the device. */
  outbound(length: number, mark: number): Uint8Array
  /** Makes the host send these packets into the device. */
  inject(packets: readonly Uint8Array[]): void
  /** Sets who is told of each packet that arrived at the host out of the device. */
  onDelivered(listener: (packet: Uint8Array) => void): void
  /** Ends what was made besides the device. */
  close(): Promise<void>
}

/**
 * Registers a test of this name, as `test` of vitest and node:test do. What it passes to `run`, if anything, goes on
 * to whoever opens the link.
 */
export type RegisterTest<Context> = (name: string, run: (context: Context) => Promise<void>) => void

const PATIENCE = 5_000

/** Registers the contract's tests; `open` makes a fresh link for each. */
export function tunDeviceContract<Context>(
  register: RegisterTest<Context>,
  open: (context: Context) => Promise<TunLink>,
): void {
  const withLink = (name: string, run: (link: TunLink) => Promise<void>): void => {
    register(name, async (context) => {
      const link = await open(context)
      try {
        await run(link)
      } finally {
        await link.device.close()
        await link.close()
      }
    })
  }

  withLink('hands packets of the host to the sink, whole and in order', async (link) => {
    const got = collectReceived(link)
    const sent = [64, 1280, 100, 576].map((length, mark) => link.inbound(length, mark))
    link.inject(sent)
    await until(() => got.length >= sent.length, 'packets from the host')
    expectSameBodies(got, sent)
  })

  withLink('gives a batch to the host, whole and in order, and says how many it took', async (link) => {
    const got = collectDelivered(link)
    const sent = Array.from({ length: 40 }, (_, mark) => link.outbound(60 + mark * 20, mark))
    const taken = link.device.write(batchOf(sent))
    if (taken !== sent.length) throw new Error(`took ${taken} of ${sent.length}`)
    await until(() => got.length >= sent.length, 'packets at the host')
    expectSameBodies(got, sent)
  })

  withLink(
    'lends its batches: a sink that kept a view sees it change, one that copied does not',
    async (link) => {
      const got = collectReceived(link)
      const sent = Array.from({ length: 200 }, (_, mark) => link.inbound(300, mark))
      for (let at = 0; at < sent.length; at += 20) {
        link.inject(sent.slice(at, at + 20))
        await until(() => got.length >= at + 20, 'packets from the host')
      }
      expectSameBodies(got, sent)
    },
  )

  withLink('counts packets and bytes of both directions', async (link) => {
    const got = collectReceived(link)
    link.inject([link.inbound(100, 1), link.inbound(200, 2)])
    link.device.write(batchOf([link.outbound(300, 3)]))
    await until(() => got.length >= 2, 'packets from the host')
    const { receivedPackets, receivedBytes, sentPackets, sentBytes } = link.device.counters()
    expectEqual([receivedPackets, receivedBytes, sentPackets, sentBytes], [2, 300, 1, 300])
  })

  withLink('drops and counts what is no packet, and takes the rest', async (link) => {
    const got = collectDelivered(link)
    const good = link.outbound(80, 7)
    const taken = link.device.write(batchOf([new Uint8Array(0), good]))
    await until(() => got.length >= 1, 'the good packet at the host')
    expectEqual([taken, link.device.counters().sendDrops], [1, 1])
  })

  withLink('takes nothing after close, closes twice without harm, and says that it closed', async (link) => {
    const got = collectReceived(link)
    await link.device.close()
    await link.device.close()
    if ((await link.device.closed) !== undefined) throw new Error('closed with an error')
    if (link.device.write(batchOf([link.outbound(80, 1)])) !== 0) throw new Error('took a packet after close')
    const before = got.length
    await new Promise<void>((resolve) => setTimeout(resolve, 20))
    if (got.length !== before) throw new Error('called the sink after close')
  })
}

function collectReceived(link: TunLink): Uint8Array[] {
  const got: Uint8Array[] = []
  link.device.onPackets((batch) => got.push(...packetsOf(batch)))
  return got
}

function collectDelivered(link: TunLink): Uint8Array[] {
  const got: Uint8Array[] = []
  link.onDelivered((packet) => got.push(packet.slice()))
  return got
}

/** Compares what is behind the 20 bytes of IPv4 header, which a forwarding host may change. */
function expectSameBodies(got: readonly Uint8Array[], sent: readonly Uint8Array[]): void {
  expectEqual(
    got.map((packet) => Array.from(packet.subarray(20))),
    sent.map((packet) => Array.from(packet.subarray(20))),
  )
}

function expectEqual(got: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)]
  if (a !== b) throw new Error(`got ${a.slice(0, 400)}, wanted ${b.slice(0, 400)}`)
}

async function until(done: () => boolean, what: string): Promise<void> {
  const end = Date.now() + PATIENCE
  while (!done()) {
    if (Date.now() > end) throw new Error(`waited ${PATIENCE} ms for ${what}`)
    await new Promise<void>((resolve) => setTimeout(resolve, 2))
  }
}
