// Whole magicsocks on real sockets: two nodes, a relay in memory, a STUN answerer on loopback.
import { createSocket, type Socket } from 'node:dgram'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { ManualClock } from '@mesh/sansio'
import { systemRandom } from '@mesh/sansio/node'
import { type Endpoint, parseAddress } from '@mesh/wire/ip'
import { decodeBindingRequest, encodeBindingResponse } from '@mesh/wire/stun'
import { afterEach, expect, test } from 'vitest'
import {
  type DatagramListener,
  type DatagramSocket,
  type MagicSockEvent,
  type RelayMap,
  SENT,
} from '../../src/index.ts'
import {
  type MagicSockHandle,
  type MagicSockRelays,
  type OpenMagicSockOptions,
  openMagicSock,
  type RelayHandlers,
} from '../../src/node/index.ts'

/** A relay inside this process: whoever connects is known by node key. */
class MemoryRelay {
  readonly #clients = new Map<string, RelayHandlers>()
  down = false

  connectAs(nodeKey: Uint8Array): MagicSockRelays['connect'] {
    return (_region, handlers) => {
      this.#clients.set(nodeKey.join(), handlers)
      return {
        send: (to, bytes) => {
          const copy = bytes.slice()
          setTimeout(() => this.down || this.#clients.get(to.join())?.onPacket(nodeKey, copy), 20)
        },
        notePreferred: () => undefined,
        close: () => this.#clients.delete(nodeKey.join()),
      }
    }
  }
}

interface Received {
  readonly text: string
  readonly peer: number
}

interface TestNode {
  readonly sock: MagicSockHandle
  readonly nodeKey: Uint8Array
  readonly received: Received[]
  readonly events: MagicSockEvent[]
}

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

async function open(relay: MemoryRelay, options: Partial<OpenMagicSockOptions> = {}): Promise<TestNode> {
  const nodeKey = publicKeyOf(generatePrivateKey(systemRandom))
  const received: Received[] = []
  const events: MagicSockEvent[] = []
  const sock = await openMagicSock({
    keys: { nodeKey },
    allowLoopback: true,
    readAddresses: () => [parseAddress('127.0.0.1')!],
    relays: { connect: relay.connectAs(nodeKey) },
    onPacket: (bytes, peer) => received.push({ text: new TextDecoder().decode(bytes), peer }),
    onEvent: (event) => events.push(event),
    ...options,
  })
  closing.push(() => sock.close())
  return { sock, nodeKey, received, events }
}

async function openStun(): Promise<RelayMap> {
  const socket: Socket = createSocket('udp4')
  socket.on('message', (bytes, from) => {
    const request = decodeBindingRequest(bytes)
    const observed = { address: parseAddress(from.address)!, port: from.port }
    if (request !== undefined)
      socket.send(encodeBindingResponse(request.txId, observed), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  closing.push(() => new Promise<void>((resolve) => socket.close(() => resolve())))
  const node = { name: '1a', hostName: 'localhost', ipv4: undefined, ipv6: undefined, lookUp: true }
  const nodes = [{ ...node, stunPort: socket.address().port }]
  return new Map([[1, { id: 1, code: 'here', noMeasureNoHome: false, score: 1, nodes }]])
}

function configOf(id: number, { sock, nodeKey }: TestNode) {
  const endpoints = sock.endpoints.map((local) => local.endpoint)
  return { id, nodeKey, discoKey: sock.discoKey, endpoints, homeRelay: sock.homeRelay }
}

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(done()).toBe(true)
}

const text = (what: string): Uint8Array => new TextEncoder().encode(what)

test('D2: relayed first, direct within a second, over real sockets with a real STUN round trip', async () => {
  const relay = new MemoryRelay()
  const relays = await openStun()
  const a = await open(relay)
  const b = await open(relay)
  for (const { sock } of [a, b]) sock.setRelays(relays)
  await until(() => a.sock.homeRelay === 1 && b.sock.homeRelay === 1)
  expect(a.sock.report).toMatchObject({ udp: true, ipv4: true, preferredRelay: 1 })

  a.sock.setPeers([configOf(2, b)])
  b.sock.setPeers([configOf(1, a)])
  expect(a.sock.send(2, text('first'))).toBe(SENT.relay)
  await until(() => a.sock.status(2)?.endpoint !== undefined)
  expect(a.sock.send(2, text('second'))).toBe(SENT.direct)
  await until(() => b.received.length === 2)
  expect(b.received).toEqual(
    expect.arrayContaining([
      { text: 'first', peer: 1 },
      { text: 'second', peer: 1 },
    ]),
  )
  expect(b.sock.status(1)?.traffic).toMatchObject({
    receivedDirect: { packets: 1, bytes: 6 },
    receivedRelay: { packets: 1, bytes: 5 },
  })
  expect(await a.sock.ping(2)).toMatchObject({ ok: true, endpoint: { port: b.sock.ports.v4 } })
})

test('a packet sent before the relay link is open waits for it', async () => {
  const relay = new MemoryRelay()
  const relays = await openStun()
  const a = await open(relay)
  const b = await open(relay, { readAddresses: () => [] })
  for (const { sock } of [a, b]) sock.setRelays(relays)
  await until(() => b.sock.homeRelay === 1)
  a.sock.setPeers([{ ...configOf(2, b), endpoints: [], homeRelay: 1 }])
  b.sock.setPeers([{ ...configOf(1, a), endpoints: [] }])
  expect(a.sock.send(2, text('early'))).toBe(SENT.relay)
  await until(() => b.received.length === 1)
  expect(b.received).toEqual([{ text: 'early', peer: 1 }])
})

test('without a relay the first ping finds the path; without a path it ends in 5 s', async () => {
  const relay = new MemoryRelay()
  const relays = { map: new Map(), connect: relay.connectAs(new Uint8Array(32)) }
  const a = await open(relay, { relays })
  const b = await open(relay, { relays })
  a.sock.setPeers([configOf(2, b), { ...configOf(3, b), nodeKey: new Uint8Array(32).fill(3), endpoints: [] }])
  b.sock.setPeers([configOf(1, a)])
  expect(await a.sock.ping(2)).toMatchObject({ ok: true })
  expect(await a.sock.ping(3)).toEqual({ ok: false, reason: 'no-path' })
  expect(await a.sock.ping(4)).toEqual({ ok: false, reason: 'unknown-peer' })
})

test('a node key that is none is refused, and its sockets are not left open', async () => {
  const { sock } = await open(new MemoryRelay())
  const port = sock.ports.v4!
  await sock.close()
  const options = { keys: { nodeKey: new Uint8Array(31) }, port }
  await expect(openMagicSock(options)).rejects.toThrow('nodeKey')
  await expect(openMagicSock(options)).rejects.toThrow('nodeKey')
})

test('a system that cannot tell its addresses for a moment ends nothing', async () => {
  const clock = new ManualClock()
  let reads = 0
  const { sock } = await open(new MemoryRelay(), {
    clock,
    readAddresses: () => {
      reads += 1
      if (reads === 2) throw new Error('EMFILE')
      return [parseAddress('127.0.0.1')!]
    },
  })
  for (let polls = 0; polls < 3; polls += 1) {
    clock.advanceBy(5_000)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(reads).toBe(4)
  expect(sock.ports.v4).toBeGreaterThan(0)
})

test('D16: a machine that has slept looks for everything anew, on the same port, and tells its owner', async () => {
  const clock = new ManualClock()
  let asleep = 0
  const slept: number[] = []
  const renewed: boolean[] = []
  const { sock, events } = await open(new MemoryRelay(), {
    clock,
    relays: {
      map: await openStun(),
      connect: () => ({
        send: () => undefined,
        notePreferred: () => undefined,
        noteNetworkChange: () => renewed.push(true),
        close: () => undefined,
      }),
    },
    readUptime: () => clock.now() + asleep,
    onWake: (milliseconds) => slept.push(milliseconds),
  })
  const port = sock.ports.v4
  await expect.poll(() => events.some(({ event }) => event === 'home-relay')).toBe(true)
  clock.advanceBy(5_000)
  const looks = (): number => events.filter(({ event }) => event === 'netcheck').length
  await expect.poll(looks).toBe(1)
  asleep = 3_600_000
  clock.advanceBy(5_000)
  await expect.poll(() => slept).toEqual([3_600_000])
  await expect.poll(looks).toBeGreaterThan(1)
  await expect.poll(() => sock.ports.v4).toBe(port)
  expect(renewed).toEqual([true])
})

test('a network that cannot be asked whether it translates ends nothing', async () => {
  let asked = 0
  const { sock } = await open(new MemoryRelay(), {
    readAddresses: () => [parseAddress('2001:db8::1')!],
    findNat64: () => {
      asked += 1
      return Promise.reject(new Error('SERVFAIL'))
    },
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect([asked, sock.ports.v4 === undefined]).toEqual([1, false])
})

test('a network that translates is found though the resolver was not ready, and as soon as IPv6 is there', async () => {
  const clock = new ManualClock()
  const prefix = parseAddress('2001:db8:64::')!.subarray(0, 12)
  let addresses = [parseAddress('192.0.2.1')!]
  const asked: number[] = []
  const { sock } = await open(new MemoryRelay(), {
    clock,
    readAddresses: () => addresses,
    findNat64: () => {
      asked.push(clock.now())
      return asked.length < 4 ? Promise.reject(new Error('ESERVFAIL')) : Promise.resolve(prefix)
    },
  })
  const seconds = async (count: number): Promise<void> => {
    for (let t = 0; t < count; t += 5) {
      clock.advanceBy(5_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  await seconds(5)
  expect(asked).toEqual([])
  addresses = [parseAddress('2001:db8::1')!]
  await expect.poll(() => seconds(5).then(() => asked.length)).toBeGreaterThan(0)
  const [began = 0] = asked
  await seconds(60)
  expect(asked.map((at) => at - began)).toEqual([0, 5_000, 15_000, 35_000])
  expect(sock.ports.isV4Translated).toBe(true)
})

test('a packet thread behind NAT64 is told where a peer is on the wire, the same object for as long as it is there', async () => {
  const prefix = parseAddress('2001:db8:64::')!.subarray(0, 12)
  const farHere = { address: Uint8Array.of(...prefix, 203, 0, 113, 2), port: 2 }
  const translator = { address: Uint8Array.of(203, 0, 113, 1), port: 1 }
  const listeners: DatagramListener[] = []
  /** One end of the translated wire: whatever is sent to the other comes from this one. */
  const socket = (own: number, v4: boolean, fromHere: Endpoint): DatagramSocket => ({
    ports: { v4: v4 ? 2 : undefined, v6: v4 ? undefined : 1 },
    listen: (listener) => void (listeners[own] = listener),
    send: (bytes, to) => {
      const copy = bytes.slice()
      const isOther = to.address.join() === (v4 ? translator : farHere).address.join()
      if (isOther) setImmediate(() => listeners[1 - own]?.onDatagram(copy, fromHere))
    },
    rebind: () => Promise.resolve(),
    close: () => Promise.resolve(),
  })
  const relay = new MemoryRelay()
  const a = await open(relay, {
    sockets: socket(0, false, translator),
    readAddresses: () => [parseAddress('2001:db8::1')!],
    findNat64: () => Promise.resolve(prefix),
  })
  const b = await open(relay, {
    sockets: socket(1, true, farHere),
    readAddresses: () => [parseAddress('203.0.113.2')!],
  })
  const endpoints = [{ address: parseAddress('203.0.113.2')!, port: 2 }]
  a.sock.setPeers([{ ...configOf(2, b), endpoints }])
  b.sock.setPeers([{ ...configOf(1, a), endpoints: [translator] }])
  expect(await a.sock.ping(2)).toMatchObject({ ok: true, endpoint: endpoints[0] })
  const straight = a.sock.noteTraffic(2)
  expect(straight).toEqual(farHere)
  expect(a.sock.status(2)?.endpoint).toEqual(endpoints[0])
  expect(a.sock.straightPath(2)).toBe(straight)
  await a.sock.close()
  expect(a.sock.straightPath(2)).toBeUndefined()
})

test('a port in use is an error with its code; closing twice is fine, and ends what waits', async () => {
  const relay = new MemoryRelay()
  const a = await open(relay)
  await expect(open(relay, { port: a.sock.ports.v4! })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const netcheck = a.sock.netcheck().catch((error: unknown) => String(error))
  await a.sock.close()
  await a.sock.close()
  expect(await netcheck).toContain('closed')
  expect(await a.sock.ping(2)).toEqual({ ok: false, reason: 'closed' })
  expect(a.sock.send(2, text('late'))).toBe(SENT.nothing)
})
