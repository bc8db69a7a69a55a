// Who gets what, and what happens to those who are slow, absent, doubled or rude.
import { expect, test } from 'vitest'
import {
  encodeClosePeer,
  encodeForwardPacket,
  encodeFrame,
  encodeNotePreferred,
  encodeWatchConns,
  FRAME_HEADER_LENGTH,
  FRAME_HEALTH,
  FRAME_KEEP_ALIVE,
  FRAME_NOTE_PREFERRED,
  FRAME_PEER_GONE,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RECV_PACKET,
  FRAME_SEND_PACKET,
  writeFrameHeader,
} from '@mesh/wire/derp'
import { KEEP_ALIVE, KEEP_ALIVE_JITTER, WRITE_WINDOW } from '../src/index.ts'
import { dataPacket, discoPacket, RelayBench } from './support.ts'

const KEY = 32

function marks(payloads: readonly Uint8Array[]): (number | undefined)[] {
  return payloads.map((payload) => payload.at(-1))
}

test('S7: what is sent to a key arrives there with the key of the sender', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  const bob = bench.connect(2).login()
  alice.send(bob, dataPacket(7))
  expect(bob.got(FRAME_RECV_PACKET)).toEqual([new Uint8Array([...alice.key, ...dataPacket(7)])])
  expect(bench.relay.stats).toMatchObject({
    packetsReceived: 1,
    packetsSent: 1,
    bytesReceived: 100,
    bytesSent: 100,
  })
})

test('a client may send to itself', () => {
  const alice = new RelayBench().connect(1).login()
  alice.send(alice, dataPacket(1))
  expect(alice.got(FRAME_RECV_PACKET)).toHaveLength(1)
})

test('S7: a packet of 65536 bytes passes, and one byte more closes the sender', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  const bob = bench.connect(2).login()
  alice.send(bob, dataPacket(1, 65_536))
  expect(bob.got(FRAME_RECV_PACKET)[0]).toHaveLength(KEY + 65_536)
  alice.send(bob, dataPacket(1, 65_537))
  expect(alice.closed).toBe('bad-frame')
  expect(bob.got(FRAME_RECV_PACKET)).toHaveLength(1)
})

test('threat 26: a frame that claims 64 KiB + 1 is refused by its header alone', () => {
  const alice = new RelayBench().connect(1).login()
  const header = new Uint8Array(FRAME_HEADER_LENGTH)
  writeFrameHeader(header, 0, FRAME_SEND_PACKET, KEY + 65_537)
  alice.say(header)
  expect(alice.closed).toBe('bad-frame')
})

test('S8: frames of unknown types are passed over, however long they claim to be', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  const bob = bench.connect(2).login()
  alice.say(encodeFrame(0x77, new Uint8Array(2_000_000)))
  alice.send(bob, dataPacket(3))
  expect(alice.closed).toBeUndefined()
  expect(bob.got(FRAME_RECV_PACKET)).toHaveLength(1)
})

test('S8: NotePreferred of one byte is noted, of two closes', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  alice.say(encodeNotePreferred(true))
  expect(bench.relay.stats.homeConnections).toBe(1)
  alice.say(encodeNotePreferred(false))
  expect(bench.relay.stats.homeConnections).toBe(0)
  alice.say(encodeFrame(FRAME_NOTE_PREFERRED, Uint8Array.of(1, 1)))
  expect(alice.closed).toBe('bad-frame')
})

test('S9: a silent client is kept for a day and hears a keep-alive every 60 to 65 s', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  const day = 86_400_000
  bench.advance(day)
  const beats = alice.got(FRAME_KEEP_ALIVE).length
  expect(alice.closed).toBeUndefined()
  expect(beats).toBeGreaterThanOrEqual(Math.floor(day / (KEEP_ALIVE + KEEP_ALIVE_JITTER)))
  expect(beats).toBeLessThanOrEqual(day / KEEP_ALIVE)
})

test.each([8, 9, 1000])('S9: a ping of %i bytes is answered with its first 8', (length) => {
  const alice = new RelayBench().connect(1).login()
  const data = Uint8Array.from({ length }, (_, i) => i)
  alice.say(encodeFrame(FRAME_PING, data))
  expect(alice.got(FRAME_PONG)).toEqual([data.subarray(0, 8)])
})

test.each([7, 1001])('S9: a ping of %i bytes closes', (length) => {
  const alice = new RelayBench().connect(1).login()
  alice.say(encodeFrame(FRAME_PING, new Uint8Array(length)))
  expect(alice.closed).toBe('bad-frame')
})

test('S10: disco to an unknown key is answered three times at once and then once a second', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  const bob = bench.connect(2)
  for (let i = 0; i < 10; i += 1) alice.send(bob, discoPacket())
  expect(alice.got(FRAME_PEER_GONE)).toEqual(Array.from({ length: 3 }, () => new Uint8Array([...bob.key, 1])))
  bench.advance(1_000)
  for (let i = 0; i < 10; i += 1) alice.send(bob, discoPacket())
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(4)
})

test('S10: data to an unknown key is met with silence', () => {
  const bench = new RelayBench()
  const alice = bench.connect(1).login()
  alice.send(bench.connect(2), dataPacket(1))
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(0)
  expect(bench.relay.stats.dropped.unknown_dest).toBe(1)
})

test('S11: who heard from the one that left is told once, and nobody else', () => {
  const bench = new RelayBench()
  const [alice, bob, carol] = [bench.connect(1).login(), bench.connect(2).login(), bench.connect(3).login()]
  bob.send(alice, dataPacket(1))
  bob.send(alice, dataPacket(2))
  carol.send(bob, dataPacket(3))
  bob.leave()
  expect(alice.got(FRAME_PEER_GONE)).toEqual([new Uint8Array([...bob.key, 0])])
  expect(carol.got(FRAME_PEER_GONE)).toHaveLength(0)
  bench.connect(2).login().leave()
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(1)
})

test('S11: nobody is told while the key has another connection', () => {
  const bench = new RelayBench()
  const [alice, bob, again] = [bench.connect(1).login(), bench.connect(2).login(), bench.connect(2).login()]
  bob.send(alice, dataPacket(1))
  bob.leave()
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(0)
  again.leave()
  expect(alice.got(FRAME_PEER_GONE)).toHaveLength(1)
})

/** Fills the stream of a stalled client up to its window. */
function fillWindow(bench: RelayBench, from: ReturnType<RelayBench['connect']>, to: typeof from): void {
  to.stalled = true
  while (to.unwritten < WRITE_WINDOW) from.send(to, dataPacket(0, 8_000))
  expect(bench.relay.stats.dropped.queue_head).toBe(0)
}

test('S12: of 40 packets to a stalled receiver the oldest 8 are dropped', () => {
  const bench = new RelayBench()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  fillWindow(bench, alice, bob)
  bob.frames.length = 0
  for (let i = 1; i <= 40; i += 1) alice.send(bob, dataPacket(i))
  expect(bob.frames).toHaveLength(0)
  bob.take()
  expect(marks(bob.got(FRAME_RECV_PACKET))).toEqual(Array.from({ length: 32 }, (_, i) => i + 9))
  expect(bench.relay.stats.dropped.queue_head).toBe(8)
})

test('S12: a flood of data does not push out disco', () => {
  const bench = new RelayBench()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  fillWindow(bench, alice, bob)
  bob.frames.length = 0
  alice.send(bob, discoPacket(62, 99))
  for (let i = 0; i < 500; i += 1) alice.send(bob, dataPacket(1))
  bob.take()
  expect(marks(bob.got(FRAME_RECV_PACKET))).toContain(99)
})

test('S13, threat 27: a receiver that takes nothing for 2 s is cut off, and its sender goes on', () => {
  const bench = new RelayBench()
  const [alice, bob, carol] = [bench.connect(1).login(), bench.connect(2).login(), bench.connect(3).login()]
  bob.stalled = true
  alice.send(bob, dataPacket(1))
  bench.advance(1_999)
  expect(bob.closed).toBeUndefined()
  bench.advance(1)
  expect(bob.closed).toBe('write-timeout')
  alice.send(carol, dataPacket(2))
  expect(carol.got(FRAME_RECV_PACKET)).toHaveLength(1)
  expect(alice.closed).toBeUndefined()
})

test('S13: a slow receiver that takes something every second is kept', () => {
  const bench = new RelayBench()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  for (let second = 0; second < 10; second += 1) {
    bob.stalled = true
    alice.send(bob, dataPacket(1))
    bench.advance(1_000)
    bob.take()
  }
  expect(bob.closed).toBeUndefined()
})

test('threat 27: what a stalled receiver costs is bounded, whatever is sent to it', () => {
  const bench = new RelayBench({ writeTimeout: 0 })
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  bob.stalled = true
  for (let i = 0; i < 500; i += 1) {
    alice.send(bob, dataPacket(1, 65_536))
    bob.say(encodeFrame(FRAME_PING, new Uint8Array(8)))
  }
  expect(bob.unwritten).toBeLessThan(2 * WRITE_WINDOW)
  bench.advance(3_600_000)
  expect(bob.unwritten).toBeLessThan(2 * WRITE_WINDOW)
})

test('S14: of two connections with one key, the one that connected last receives', () => {
  const bench = new RelayBench()
  const [alice, first, second] = [
    bench.connect(1).login(),
    bench.connect(2).login(),
    bench.connect(2).login(),
  ]
  alice.send(first, dataPacket(1))
  expect([first, second].map((each) => each.got(FRAME_RECV_PACKET).length)).toEqual([0, 1])
  expect(bench.relay.stats).toMatchObject({ clients: 2, duplicateClients: 1, connections: 3 })
})

test('S14: the one that spoke last receives', () => {
  const bench = new RelayBench()
  const [alice, first, second] = [
    bench.connect(1).login(),
    bench.connect(2).login(),
    bench.connect(2).login(),
  ]
  first.say(encodeNotePreferred(true))
  alice.send(first, dataPacket(1))
  expect([first, second].map((each) => each.got(FRAME_RECV_PACKET).length)).toEqual([1, 0])
  first.leave()
  alice.send(first, dataPacket(2))
  expect(second.got(FRAME_RECV_PACKET)).toHaveLength(1)
  expect(bench.relay.stats.duplicateClients).toBe(0)
})

test('threat 28: two machines with one key are told so once, both stay, and the last one is told that it is over', () => {
  const bench = new RelayBench()
  const [first, second] = [bench.connect(2).login(), bench.connect(2).login()]
  for (let i = 0; i < 50; i += 1) {
    first.say(encodeNotePreferred(true))
    second.say(encodeNotePreferred(true))
  }
  expect(first.got(FRAME_HEALTH)).toHaveLength(1)
  expect(second.got(FRAME_HEALTH)[0]?.length).toBeGreaterThan(0)
  expect([first.closed, second.closed]).toEqual([undefined, undefined])
  first.leave()
  expect(second.got(FRAME_HEALTH)[1]).toHaveLength(0)
})

test('a client that comes back while its old connection lingers hears nothing of it', () => {
  const bench = new RelayBench()
  const old = bench.connect(2).login()
  const fresh = bench.connect(2).login()
  fresh.say(encodeNotePreferred(true))
  old.leave()
  expect(fresh.got(FRAME_HEALTH)).toHaveLength(0)
})

test.each([
  ['WatchConns', encodeWatchConns()],
  ['ClosePeer', encodeClosePeer(new Uint8Array(KEY))],
  [
    'ForwardPacket',
    encodeForwardPacket({
      source: new Uint8Array(KEY),
      destination: new Uint8Array(KEY),
      packet: dataPacket(1),
    }),
  ],
])('S15: %s without the mesh key closes the connection', (_name, frame) => {
  const alice = new RelayBench().connect(1).login()
  alice.say(frame)
  expect(alice.closed).toBe('not-mesh')
})

test('packets that wait for one who leaves are counted as dropped', () => {
  const bench = new RelayBench()
  const [alice, bob] = [bench.connect(1).login(), bench.connect(2).login()]
  fillWindow(bench, alice, bob)
  for (let i = 0; i < 5; i += 1) alice.send(bob, dataPacket(i))
  bob.leave()
  expect(bench.relay.stats.dropped.gone_disconnected).toBe(5)
})
