// The Linux data plane without a TUN: its sockets, its thread, and what it does when either goes. The TUN's part is in
// e2e/netns.
import { execFileSync, spawnSync } from 'node:child_process'
import { createCipheriv } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { BroadcastChannel } from 'node:worker_threads'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test as anyTest } from 'vitest'
import type { DataPlaneOutputs } from '../../src/data-plane.ts'
import { PacketBuffer } from '../../src/packet-batch.ts'
import {
  LinuxDataPlane,
  type LinuxDataPlaneEvent,
  type LinuxDataPlaneOptions,
  linuxDataPlaneUnsupportedReason,
} from '../../src/node/index.ts'

const test = anyTest.extend({
  // oxlint-disable-next-line no-empty-pattern -- vitest wants to see what a fixture needs
  supported: [
    async ({ skip }, use) => {
      const reason = linuxDataPlaneUnsupportedReason()
      if (reason !== undefined) skip(reason)
      await use(true)
    },
    { auto: true },
  ],
})

const NO_TUN = { fd: -1, mtu: 1280 }
const OUTPUTS: DataPlaneOutputs = {
  toOverlay: () => undefined,
  toUnderlay: () => undefined,
  onDatagrams: () => undefined,
  onActivity: () => undefined,
  onSource: () => undefined,
  onSessionEnd: () => undefined,
}
const RULE_JUDGE = {
  module: new URL('programs/rule-judge.ts', import.meta.url).href,
  options: undefined,
}
const LOOPBACK = Uint8Array.of(127, 0, 0, 1)

class Events {
  readonly all: LinuxDataPlaneEvent[] = []
  #heard: () => void = () => undefined

  readonly hear = (event: LinuxDataPlaneEvent): void => {
    this.all.push(event)
    this.#heard()
  }

  async until(count: number, kind: LinuxDataPlaneEvent['event']): Promise<void> {
    while (this.all.filter(({ event }) => event === kind).length < count) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve
      })
    }
  }
}

function openPlane(
  options: Partial<LinuxDataPlaneOptions> = {},
  outputs: Partial<DataPlaneOutputs> = {},
): { plane: LinuxDataPlane; events: Events } {
  const events = new Events()
  const plane = new LinuxDataPlane({ tun: NO_TUN, onEvent: events.hear, ...options }).attach({
    ...OUTPUTS,
    ...outputs,
  })
  onTestFinished(() => plane.close())
  return { plane, events }
}

async function openClient(): Promise<Socket> {
  const client = createSocket('udp4')
  onTestFinished(() => void client.close())
  client.bind(0, '127.0.0.1')
  await once(client, 'listening')
  return client
}

test('sockets that are closed stay closed, whatever is asked of them afterwards', async () => {
  const { plane } = openPlane()
  await plane.close()
  await plane.sockets.rebind()
  await plane.sockets.moveTo(0)
  expect(plane.sockets.ports).toEqual({ v4: undefined, v6: undefined })
})

test('sockets that are opened again keep their port, and what comes to it is heard', async () => {
  const { plane } = openPlane()
  const heard: string[] = []
  let wake: () => void = () => undefined
  plane.sockets.listen({
    onDatagram: (bytes) => {
      heard.push(Buffer.from(bytes).toString())
      wake()
    },
    onTrouble: () => undefined,
  })
  const client = await openClient()
  const before = plane.sockets.ports
  for (const text of ['one', 'two', 'three']) {
    const came = new Promise<void>((resolve) => {
      wake = resolve
    })
    client.send(text, before.v4 ?? 0, '127.0.0.1')
    await came
    await plane.sockets.rebind()
    expect(plane.sockets.ports).toEqual(before)
  }
  expect(heard).toEqual(['one', 'two', 'three'])
})

test('a judge that replaces another is told the rules again, in order, the last of each topic', async () => {
  const channel = new BroadcastChannel('mesh-rule-judge')
  onTestFinished(() => channel.close())
  const { plane, events } = openPlane({ judge: RULE_JUDGE })
  plane.tellJudge('old filter', 'filter')
  plane.tellJudge('routes', 'routes')
  plane.tellJudge('filter', 'filter')
  const fall = (): void => plane.tellJudge('fall', 'fall')
  const told = async (last: string): Promise<unknown> => {
    const answer = new Promise<unknown>((resolve) => {
      channel.addEventListener('message', (event) => {
        const { data } = event as unknown as { data: unknown[] }
        if (data.at(-1) === last) resolve(data)
      })
    })
    plane.tellJudge('tell', 'question')
    return answer
  }
  expect(await told('filter')).toEqual(['old filter', 'routes', 'filter'])
  fall()
  plane.tellJudge('nothing', 'fall') // or it would fall again
  await events.until(1, 'restarted')
  expect(await told('nothing')).toEqual(['filter', 'routes', 'nothing'])
})

test('what was counted goes on growing when another thread takes the place of one that died', async () => {
  const { plane, events } = openPlane({ judge: RULE_JUDGE })
  const packets = new PacketBuffer(8, 8_192)
  for (let i = 0; i < 8; i += 1) packets.push(new Uint8Array(100)) // which are no IP
  await events.until(1, 'ready')
  plane.fromOverlay(packets)
  await expect.poll(() => plane.counters().drops['not-ip']).toBe(8)
  plane.tellJudge('fall', 'fall')
  plane.tellJudge('nothing', 'fall')
  await events.until(2, 'ready')
  expect(plane.counters().drops['not-ip']).toBe(8)
  plane.fromOverlay(packets)
  await expect.poll(() => plane.counters().drops['not-ip']).toBe(16)
})

test('deaths are counted within a minute: a thread that dies now and then is always replaced', async () => {
  let now = 0
  const { plane, events } = openPlane({ judge: RULE_JUDGE, now: () => now })
  const fall = (): void => {
    plane.tellJudge('fall', 'fall')
    plane.tellJudge('nothing', 'fall')
  }
  const die = async (times: number): Promise<void> => {
    for (let death = 1; death <= times; death += 1) {
      const before = events.all.filter(({ event }) => event === 'restarted').length
      fall()
      await events.until(before + 1, 'restarted')
      now += 15_000
    }
  }
  await die(7)
  now += 60_000
  const step = now
  for (let death = 1; death <= 5; death += 1) {
    now = step
    await die(1)
  }
  now = step
  fall()
  await events.until(1, 'failed')
  expect(events.all.at(-1)).toEqual({ event: 'failed', reason: 'fell over' })
})

test('a send that fails on the packet thread is told to who listens to the sockets', async () => {
  const { plane } = openPlane({}, { onSessionEnd: () => undefined })
  const troubles: unknown[] = []
  const told = new Promise<void>((resolve) => {
    plane.sockets.listen({
      onDatagram: () => undefined,
      onTrouble: (trouble) => {
        troubles.push(trouble)
        resolve()
      },
    })
  })
  const nowhere = { address: Uint8Array.of(255, 255, 255, 255), port: 9 } // refused without SO_BROADCAST
  plane.setRoutes([{ peer: 1, routes: [], allowedIps: [] }])
  plane.setPath(1, nowhere)
  const key = new Uint8Array(32)
  const createdAt = performance.now()
  plane.setSession(1, {
    localIndex: 1,
    remoteIndex: 2,
    sendKey: key,
    receiveKey: key,
    initiator: true,
    createdAt,
  })
  await told
  expect(troubles).toEqual([{ code: 'EACCES', to: nowhere }])
  expect(plane.losses.sendErrors).toBe(1)
})

test('what waits for a thread that is held up is bounded: packets beyond are dropped and counted, settings never', async () => {
  const { plane, events } = openPlane({ judge: RULE_JUDGE })
  await events.until(1, 'ready')
  const held = new SharedArrayBuffer(4)
  plane.tellJudge(held, 'hold')
  const packets = new PacketBuffer(8, 8_192)
  for (let i = 0; i < 8; i += 1) packets.push(new Uint8Array(1_000))
  // 1,000 batches are 8 MB, of which half may wait.
  for (let i = 0; i < 1_000; i += 1) plane.fromOverlay(packets)
  const lost = plane.losses.overflow
  expect(lost).toBeGreaterThan(8_000 - (4 * 1024 * 1024) / 1_000 - 8)
  expect(lost).toBeLessThan(8_000 - (4 * 1024 * 1024) / 1_000 + 8)
  plane.setRoutes([{ peer: 1, routes: [], allowedIps: [] }])
  Atomics.store(new Int32Array(held), 0, 1)
  Atomics.notify(new Int32Array(held), 0)
  // Packets of zeros are no IP: that they were taken shows in the counters.
  const taken = 8_000 - lost
  await expect.poll(() => plane.counters().drops['not-ip']).toBe(taken)
  plane.fromOverlay(packets)
  await expect.poll(() => plane.counters().drops['not-ip']).toBe(taken + 8)
  expect(plane.losses.overflow).toBe(lost)
})

test('what comes for a session that was made during a round is opened, whatever else was said meanwhile', async ({
  skip,
}) => {
  const { plane, events } = openPlane({ judge: RULE_JUDGE, threads: 1 })
  await events.until(1, 'ready')
  const { v4 = 0, v6 } = plane.sockets.ports
  if (v6 === undefined) return skip('no IPv6 here')
  const theirs = [{ address: Uint8Array.of(10, 0, 0, 2), bits: 32 }]
  plane.setRoutes([{ peer: 1, routes: theirs, allowedIps: theirs }])
  const gate = new Int32Array(new SharedArrayBuffer(8))
  plane.tellJudge(gate, 'gate')
  begin(plane, 1)
  await sendTo(v4, '127.0.0.1', sealedFor(1, 0))
  await expect.poll(() => Atomics.load(gate, 1)).toBe(1)
  // The thread has read the socket of IPv4, and will read that of IPv6 in the same round.
  begin(plane, 2)
  await sendTo(v6, '::1', sealedFor(2, 0))
  const relayed = new PacketBuffer(1, 1_024)
  relayed.push(sealedFor(1, 1))
  plane.fromUnderlay(relayed, 0)
  Atomics.store(gate, 0, 1)
  Atomics.notify(gate, 0)
  await expect
    .poll(() => {
      const { opened, drops } = plane.counters()
      return [opened, drops['unknown-index'], drops.forged, drops.replayed]
    })
    .toEqual([3, 0, 0, 0])
})

test('threat 21: a host that sends without end what nobody takes keeps the network waiting for nothing', async () => {
  // Reading it never ends, and what it says is no packet.
  const fd = openSync('/dev/zero', 'r')
  const { plane, events } = openPlane({ tun: { fd, mtu: 1280 }, threads: 1 })
  onTestFinished(async () => {
    await plane.close()
    closeSync(fd)
  })
  await events.until(1, 'ready')
  plane.setRoutes([{ peer: 1, routes: [], allowedIps: [{ address: Uint8Array.of(10, 0, 0, 2), bits: 32 }] }])
  begin(plane, 1)
  await sendTo(plane.sockets.ports.v4 ?? 0, '127.0.0.1', sealedFor(1, 0))
  await expect.poll(() => plane.counters().opened).toBe(1)
  await expect.poll(() => plane.counters().drops['not-ip']).toBeGreaterThan(1_000)
})

function begin(plane: LinuxDataPlane, localIndex: number): void {
  const [sendKey, receiveKey] = [new Uint8Array(32), new Uint8Array(32).fill(localIndex)]
  const createdAt = performance.now()
  plane.setSession(1, { localIndex, remoteIndex: 9, sendKey, receiveKey, initiator: true, createdAt })
}

async function sendTo(port: number, address: string, datagram: Uint8Array): Promise<void> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  await new Promise((resolve) => {
    socket.send(datagram, port, address, resolve)
  })
  socket.close()
}

/** A sealed packet from 10.0.0.2, under a key whose bytes are all `index`. */
function sealedFor(index: number, counter: number): Uint8Array {
  const packet = Uint8Array.of(0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1)
  const nonce = Uint8Array.of(0, 0, 0, 0, counter, 0, 0, 0, 0, 0, 0, 0)
  const key = new Uint8Array(32).fill(index)
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 })
  const text = Buffer.concat([cipher.update(packet), cipher.final(), cipher.getAuthTag()])
  return Buffer.concat([Uint8Array.of(4, 0, 0, 0, index, 0, 0, 0), nonce.subarray(4), text])
}

test('where there is no file descriptor for it, it says so and gives back what it had', () => {
  const program = fileURLToPath(new URL('programs/few-files.ts', import.meta.url))
  const node = [process.execPath, '--conditions=@mesh/source', program]
  const said = execFileSync('sh', ['-c', `ulimit -n 64; exec ${node.join(' ')}`], { encoding: 'utf8' })
  expect(JSON.parse(said)).toEqual({
    said: 'no Linux data plane: eventfd: EMFILE: too many open files',
    free: 2,
  })
})

test('what is not for WireGuard reaches a listener with the same object for the same sender', async () => {
  const { plane } = openPlane()
  const from: unknown[] = []
  const two = new Promise<void>((resolve) => {
    plane.sockets.listen({
      onDatagram: (_bytes, source) => {
        from.push(source)
        if (from.length === 2) resolve()
      },
      onTrouble: () => undefined,
    })
  })
  const client = await openClient()
  client.send('a', plane.sockets.ports.v4 ?? 0, '127.0.0.1')
  client.send('b', plane.sockets.ports.v4 ?? 0, '127.0.0.1')
  await two
  expect(from[0]).toBe(from[1])
  expect(from[0]).toEqual({ address: LOOPBACK, port: client.address().port })
})

test('which crypto was chosen, and why none faster, is said once, however many threads there are', async () => {
  const { plane, events } = openPlane({ threads: 2, tun: { ...NO_TUN, queues: [-1, -1] } })
  await events.until(1, 'ready')
  plane.setRoutes([])
  await plane.sockets.rebind() // every thread has answered by then
  expect(events.all.filter(({ event }) => event === 'ready')).toHaveLength(1)
})

const NODE = [process.execPath, '--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const programAt = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url))

test('on a kernel without UDP GSO a train goes datagram by datagram, and that is said once', ({ skip }) => {
  if (spawnSync('perl', ['-v']).error !== undefined) skip('no perl to set the filter of system calls with')
  const run = (...before: string[]): unknown => {
    const [program, ...args] = [...before, ...NODE, programAt('train-between-planes.ts')]
    return JSON.parse(execFileSync(program, args, { encoding: 'utf8' }))
  }
  expect(run()).toEqual({ opened: 128, sendErrors: 0, degraded: [] })
  expect(run('perl', programAt('without-udp-gso.pl'))).toEqual({
    opened: 128,
    sendErrors: 0,
    degraded: ['the kernel does not cut up what is sent (UDP_SEGMENT), so datagrams go one by one'],
  })
})

test('without node:ffi there is no Linux data plane, and one clause says why', () => {
  const url = new URL('../../src/node/index.ts', import.meta.url).href
  const program = `console.log((await import('${url}')).linuxDataPlaneUnsupportedReason())`
  const flags = ['--conditions=@mesh/source', '--no-experimental-ffi', '--input-type=module', '-e', program]
  const said = execFileSync(process.execPath, flags, { encoding: 'utf8' })
  expect(said).toMatch(/^it needs node:ffi \(Node 26\.1 or newer\), which this Node .* lacks\n$/)
})
