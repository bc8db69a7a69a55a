// One relay in several parts: a login is answered when all parts know of the client, so that whoever hears of it then,
// at whichever part, reaches it.
import { expect, test } from 'vitest'
import { encodePing, FRAME_PONG, FRAME_RECV_PACKET, FRAME_SERVER_INFO } from '@mesh/wire/derp'
import { PART_TIMEOUT, type SiblingId } from '../src/index.ts'
import { type BenchClient, dataPacket, RelayBench } from './support.ts'

function benchWithParts(): { bench: RelayBench; parts: [SiblingId, SiblingId] } {
  const bench = new RelayBench({ announce: true })
  const part = (): SiblingId => bench.relay.handleSiblingUp({ part: true })
  return { bench, parts: [part(), part()] }
}

function noteAware(bench: RelayBench, client: BenchClient, ...parts: SiblingId[]): void {
  for (const part of parts) bench.relay.handleAware(client.id, part, bench.now)
  bench.drain()
}

/** Returns the types of what a client was sent after the relay's key. */
function typesOf(client: BenchClient): number[] {
  return client.frames.slice(1).map(({ type }) => type)
}

test('S16: a login is answered when every other part knows of the client', () => {
  const { bench, parts } = benchWithParts()
  const alice = bench.connect(1).login()
  expect(bench.announced).toEqual([
    { kind: 'presence', nodeKey: alice.key, present: true, beyond: false, connection: alice.id },
  ])
  noteAware(bench, alice, parts[0], parts[0])
  expect(typesOf(alice)).toEqual([])
  noteAware(bench, alice, parts[1])
  expect(alice.serverInfo()).toEqual({ version: 2 })
  noteAware(bench, alice, ...parts)
  expect(typesOf(alice)).toEqual([FRAME_SERVER_INFO])
})

test('what comes for a client before its login is answered follows the answer', () => {
  const { bench, parts } = benchWithParts()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  noteAware(bench, alice, ...parts)
  alice.send(bob, dataPacket(1))
  bob.say(encodePing(new Uint8Array(8)))
  bench.relay.handleWritten(bob.id, 40, bench.now)
  bench.drain()
  expect(typesOf(bob)).toEqual([])
  noteAware(bench, bob, ...parts)
  expect(typesOf(bob)).toEqual([FRAME_SERVER_INFO, FRAME_PONG, FRAME_RECV_PACKET])
  // What it sends itself is taken all the while.
  const carol = bench.connect(3).login()
  carol.send(alice, dataPacket(2))
  expect(alice.got(FRAME_RECV_PACKET)).toHaveLength(1)
})

test('a part that is stuck delays a login by a second, and one that ends no longer', () => {
  const { bench, parts } = benchWithParts()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  noteAware(bench, alice, parts[0])
  bench.relay.handleSiblingDown(parts[1], bench.now)
  bench.drain()
  expect(typesOf(alice)).toEqual([FRAME_SERVER_INFO])
  bench.advance(PART_TIMEOUT - 1)
  expect(typesOf(bob)).toEqual([])
  bench.advance(1)
  expect(typesOf(bob)).toEqual([FRAME_SERVER_INFO])
  noteAware(bench, bob, ...parts)
  bench.advance(60_000)
  expect([alice.closed, bob.closed]).toEqual([undefined, undefined])
})

test('a client that leaves before its login is answered is nobody any more', () => {
  const { bench, parts } = benchWithParts()
  const alice = bench.connect(1).login()
  alice.leave()
  noteAware(bench, alice, ...parts)
  bench.advance(PART_TIMEOUT)
  expect(typesOf(alice)).toEqual([])
  expect(bench.relay.stats).toMatchObject({ clients: 0, connections: 0 })
})
