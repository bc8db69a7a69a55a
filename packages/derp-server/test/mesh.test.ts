// Relays of one mesh: who is trusted, what watchers are told, and packets that cross from one relay to the other.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { constantTimeEqual, formatHexKey } from '@mesh/keys'
import {
  type ClientInfo,
  decodePeerPresent,
  encodeClosePeer,
  encodeForwardPacket,
  encodeWatchConns,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  FRAME_RECV_PACKET,
} from '@mesh/wire/derp'
import { formatEndpoint } from '@mesh/wire/ip'
import { MAX_NEWS, MESH_WRITE_TIMEOUT, Relay, WRITE_TIMEOUT, WRITE_WINDOW } from '../src/index.ts'
import { newConnection } from '../src/connection.ts'
import { isMeshKey } from '../src/mesh-key.ts'
import { Watchers } from '../src/watchers.ts'
import { type BenchClient, dataPacket, discoPacket, RELAY_PRIVATE_KEY, RelayBench } from './support.ts'

const MESH_KEY = new Uint8Array(32).fill(0xab)
const REGULAR: ClientInfo = { version: 2, canAckPings: true, isProber: false }
const MESH: ClientInfo = { ...REGULAR, meshKey: formatHexKey(MESH_KEY) }

function meshBench(options: ConstructorParameters<typeof RelayBench>[0] = {}): RelayBench {
  return new RelayBench({ meshKey: MESH_KEY, ...options })
}

/** Returns what a watcher was told, as short words: who, from where, of what kind. */
function arrivals(watcher: BenchClient): string[] {
  return watcher.got(FRAME_PEER_PRESENT).map((payload) => {
    const present = decodePeerPresent(payload)
    const from = present?.endpoint === undefined ? '' : formatEndpoint(present.endpoint)
    return `${present?.peer[0]} ${from} ${present?.flags}`
  })
}

test('S15: with the mesh key a watcher is told of all keys in 51 bytes each, and then of every change', () => {
  const bench = meshBench()
  const alice = bench.connect(1, { source: '192.0.2.1', port: 41_641 }).login()
  const watcher = bench.connect(9, { source: '2001:db8::9', port: 443, notIdeal: true }).login(MESH)
  watcher.say(encodeWatchConns(), encodeWatchConns())
  expect(arrivals(watcher).sort()).toEqual(
    [`${alice.key[0]} 192.0.2.1:41641 1`, `${watcher.key[0]} [2001:db8::9]:443 10`].sort(),
  )
  expect(watcher.got(FRAME_PEER_PRESENT).map((payload) => payload.length)).toEqual([51, 51])
  watcher.frames.length = 0
  const bob = bench.connect(2, { source: '192.0.2.2', port: 7, notIdeal: true }).login()
  bench.connect(3).login({ ...REGULAR, isProber: true })
  expect(arrivals(watcher)[0]).toBe(`${bob.key[0]} 192.0.2.2:7 8`)
  expect(arrivals(watcher)[1]).toMatch(/ 4$/)
  bob.leave()
  expect(watcher.got(FRAME_PEER_GONE)).toEqual([new Uint8Array([...bob.key, 0])])
})

test('S15: a second connection of a key is announced, and the key is gone with the last one only', () => {
  const bench = meshBench()
  const watcher = bench.connect(9).login(MESH)
  watcher.say(encodeWatchConns())
  const [first, second] = [bench.connect(1).login(), bench.connect(1).login()]
  expect(arrivals(watcher)).toHaveLength(3)
  first.leave()
  expect(watcher.got(FRAME_PEER_GONE)).toHaveLength(0)
  second.leave()
  expect(watcher.got(FRAME_PEER_GONE)).toHaveLength(1)
})

test('S15: ForwardPacket delivers with the given source and is never sent on a second time', () => {
  const bench = meshBench()
  const [bob, sibling] = [bench.connect(2).login(), bench.connect(9).login(MESH)]
  const source = new Uint8Array(32).fill(5)
  sibling.say(encodeForwardPacket({ source, destination: bob.key, packet: dataPacket(7) }))
  expect(bob.got(FRAME_RECV_PACKET)).toEqual([new Uint8Array([...source, ...dataPacket(7)])])
  const elsewhere = new Uint8Array(32).fill(6)
  bench.relay.handlePeerPresent(bench.relay.handleSiblingUp(), elsewhere, 0)
  sibling.say(encodeForwardPacket({ source, destination: elsewhere, packet: dataPacket(7) }))
  expect(bench.forwarded).toHaveLength(0)
  expect(bench.relay.stats.dropped.unknown_dest_on_fwd).toBe(1)
  expect(bench.relay.stats.packetsForwardedIn).toBe(2)
})

test('S15: ClosePeer hangs up on every connection of the key and on nobody else', () => {
  const bench = meshBench()
  const [first, second] = [bench.connect(1).login(), bench.connect(1).login()]
  const [bob, sibling] = [bench.connect(2).login(), bench.connect(9).login(MESH)]
  sibling.say(encodeClosePeer(first.key), encodeClosePeer(new Uint8Array(32)))
  expect([first, second, bob, sibling].map(({ closed }) => closed)).toEqual([
    'mesh-request',
    'mesh-request',
    undefined,
    undefined,
  ])
  expect(bench.relay.stats.closed).toEqual({ 'mesh-request': 2 })
})

test('S16: what is for a client of a sibling is handed to it, until the sibling says that it went', () => {
  const bench = meshBench()
  const alice = bench.connect(1).login()
  const bob = new Uint8Array(32).fill(2)
  const sibling = bench.relay.handleSiblingUp()
  bench.relay.handlePeerPresent(sibling, bob, 0)
  const send = (): void => alice.send({ key: bob } as BenchClient, discoPacket())
  send()
  expect(bench.forwarded).toEqual([
    { kind: 'forward', sibling, source: alice.key, destination: bob, packet: discoPacket() },
  ])
  expect(bench.relay.stats).toMatchObject({ clients: 1, clientsElsewhere: 1, packetsForwardedOut: 1 })
  bench.relay.handlePeerGone(sibling, bob, 0)
  send()
  expect(bench.forwarded).toHaveLength(1)
  expect(alice.got(FRAME_PEER_GONE)).toEqual([new Uint8Array([...bob, 1])])
})

test('S16: of several siblings that have a key the first is used until it drops out; one that is here comes first', () => {
  const bench = meshBench()
  const alice = bench.connect(1).login()
  const absent = bench.connect(2)
  const [first, second] = [bench.relay.handleSiblingUp(), bench.relay.handleSiblingUp()]
  for (const sibling of [first, second, first]) bench.relay.handlePeerPresent(sibling, absent.key, 0)
  alice.send(absent, dataPacket(1))
  bench.relay.handleSiblingDown(first, 0)
  bench.relay.handlePeerPresent(first, absent.key, 0)
  alice.send(absent, dataPacket(2))
  const here = bench.connect(2).login()
  alice.send(absent, dataPacket(3))
  expect(bench.forwarded.map(({ sibling }) => sibling)).toEqual([first, second])
  expect(here.got(FRAME_RECV_PACKET)).toHaveLength(1)
  here.leave()
  alice.send(absent, dataPacket(4))
  expect(bench.forwarded.map(({ sibling }) => sibling)).toEqual([first, second, second])
  bench.relay.handleSiblingDown(second, 0)
  expect(bench.relay.stats).toMatchObject({ clientsElsewhere: 0, clients: 1 })
})

test('S11, S16: who heard from a client of the region is told once, when it is at no relay of the mesh any more', () => {
  const bench = meshBench()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  const sibling = bench.relay.handleSiblingUp()
  bench.relay.handlePeerPresent(sibling, bob.key, 0)
  bob.send(alice, dataPacket(1))
  bob.leave()
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(0)
  bench.relay.handleSiblingDown(sibling, 0)
  bench.drain()
  expect(alice.got(FRAME_PEER_GONE)).toEqual([new Uint8Array([...bob.key, 0])])
})

test('S11, S16: a client of a sibling whose packets arrived here is missed when its relay goes', () => {
  const bench = meshBench()
  const [alice, link] = [bench.connect(1).login(), bench.connect(9).login(MESH)]
  const source = new Uint8Array(32).fill(5)
  const sibling = bench.relay.handleSiblingUp()
  bench.relay.handlePeerPresent(sibling, source, 0)
  link.say(encodeForwardPacket({ source, destination: alice.key, packet: dataPacket(1) }))
  bench.relay.handleSiblingDown(sibling, 0)
  bench.drain()
  expect(alice.got(FRAME_PEER_GONE)).toEqual([new Uint8Array([...source, 0])])
})

test('S19: mesh peers need no admission', () => {
  const bench = meshBench({ admission: true })
  const sibling = bench.connect(9).login(MESH)
  expect(bench.admissions).toHaveLength(0)
  expect(sibling.serverInfo()).toEqual({ version: 2 })
})

test('S13: a mesh peer that takes nothing is kept for 30 s', () => {
  const bench = meshBench()
  const [alice, sibling] = [bench.connect(1).login(), bench.connect(9).login(MESH)]
  sibling.stalled = true
  alice.send(sibling, dataPacket(1))
  bench.advance(WRITE_TIMEOUT + 1)
  expect(sibling.closed).toBeUndefined()
  bench.advance(MESH_WRITE_TIMEOUT)
  expect(sibling.closed).toBe('write-timeout')
})

test('threat 27: a watcher that takes nothing costs a bounded number of frames and is then cut off', () => {
  let [written, givenUp] = [0, 0]
  const watchers = new Watchers(
    (connection, bytes, now) => {
      connection.outbox.handleWrite(bytes.length, now)
      written += 1
    },
    () => {
      givenUp += 1
    },
  )
  const watcher = newConnection(1, { source: '' }, 0, WRITE_TIMEOUT, 0)
  watchers.watch(watcher, [], 0)
  const key = new Uint8Array(32)
  for (let i = 0; i < 2 * MAX_NEWS; i += 1) watchers.went(key, 0)
  expect(written * 38).toBeLessThan(2 * WRITE_WINDOW + 38)
  expect(watcher.news).toHaveLength(MAX_NEWS)
  expect(givenUp).toBeGreaterThan(0)
  // A shorter absence costs it nothing: what waited comes when there is room.
  watcher.outbox.handleWritten(2 * WRITE_WINDOW, 0)
  const before = written
  watchers.flush(watcher, 0)
  expect(written).toBeGreaterThan(before)
  expect(watcher.news).toHaveLength(MAX_NEWS - (written - before))
})

test.each([
  ['another key', formatHexKey(new Uint8Array(32).fill(0xac))],
  ['none', undefined],
  ['zeros', '0'.repeat(64)],
])('threat 2: a login with %s as its mesh key is that of an ordinary client', (_what, meshKey) => {
  for (const bench of [meshBench(), new RelayBench()]) {
    const stranger = bench.connect(1).login(meshKey === undefined ? REGULAR : { ...REGULAR, meshKey })
    expect(bench.relay.stats).toMatchObject({ clients: 1, meshPeers: 0 })
    stranger.say(encodeWatchConns())
    expect(stranger.closed).toBe('not-mesh')
  }
})

test('threat 2: a mesh key of zeros or of another length is refused at the start', () => {
  for (const meshKey of [new Uint8Array(32), new Uint8Array(31).fill(1)]) {
    const options = {
      privateKey: RELAY_PRIVATE_KEY,
      random: (length: number) => new Uint8Array(length),
      meshKey,
    }
    expect(() => new Relay(options)).toThrow(RangeError)
  }
})

test('threat 2: the mesh key is compared by constantTimeEqual and by nothing else', () => {
  const folder = new URL('../src/', import.meta.url)
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8').replaceAll(/^ *(\/\/|\*|\/\*).*$/gm, ''))
    .join('\n')
  expect(sources).toContain('constantTimeEqual(key, meshKey)')
  expect(sources).not.toMatch(/meshKey\)?\s*(===|!==)(?!\s*undefined)|(===|!==)\s*[\w.]*meshKey/i)
})

test('threat 2: how much of a guessed mesh key is right does not show in the time its refusal takes', () => {
  const [wrongAtOnce, wrongAtEnd] = [new Uint8Array(MESH_KEY), new Uint8Array(MESH_KEY)]
  wrongAtOnce[0] = 0
  wrongAtEnd[31] = 0
  expect(isMeshKey(formatHexKey(wrongAtEnd), MESH_KEY)).toBe(false)
  const timeOf = (guess: Uint8Array): number => {
    const start = process.hrtime.bigint()
    let equal = 0
    for (let i = 0; i < 1_000; i += 1) if (constantTimeEqual(guess, MESH_KEY)) equal += 1
    expect(equal).toBe(0)
    return Number(process.hrtime.bigint() - start)
  }
  const times = { atOnce: [] as number[], atEnd: [] as number[] }
  // Twice 100,000 samples, in turn, so that whatever else the machine does meets both alike.
  for (let round = 0; round < 100; round += 1) {
    times.atOnce.push(timeOf(wrongAtOnce))
    times.atEnd.push(timeOf(wrongAtEnd))
  }
  const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? 0
  const ratio = median(times.atEnd) / median(times.atOnce)
  // A compare that stops at the first difference takes many times as long for a guess that is right up to its end.
  expect(ratio).toBeGreaterThan(0.7)
  expect(ratio).toBeLessThan(1.4)
})
