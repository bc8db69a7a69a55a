// A connection's life as a timeline: dialled, logged in, used, lost, and back.
import { expect, test } from 'vitest'
import {
  encodeFrame,
  encodeHealth,
  encodeKeepAlive,
  encodePeerGone,
  encodePing,
  encodePong,
  encodeRecvPacket,
  encodeRestarting,
  FRAME_CLIENT_INFO,
  FRAME_NOTE_PREFERRED,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RECV_PACKET,
  FRAME_SEND_PACKET,
} from '@mesh/wire/derp'
import { LIVENESS_TIMEOUT, MAX_BACKOFF } from '../src/index.ts'
import { acceptance, ClientBench, greeting, openClientInfo, SERVER_KEY } from './support.ts'

const KEY = new Uint8Array(32).fill(5)
const ONE_PACKET = encodeRecvPacket({ source: KEY, packet: Uint8Array.of(1, 2, 3) })

test('asks to be dialled at once', () => {
  expect(new ClientBench().outputs).toEqual([{ kind: 'dial' }])
})

test('C1: answers the greeting with a ClientInfo that opens, and is connected when the server says yes', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  bench.hear(greeting())
  expect(bench.written.map(openClientInfo)).toEqual([{ version: 2, canAckPings: true, isProber: false }])
  expect(bench.client.connected).toBe(false)
  bench.hear(acceptance())
  expect(bench.client.connected).toBe(true)
  expect(bench.events('connected')).toEqual([{ kind: 'event', event: 'connected', serverKey: SERVER_KEY }])
})

test('a greeting that comes byte by byte is the same greeting', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  for (const byte of [...greeting(), ...acceptance()]) bench.hear(Uint8Array.of(byte))
  expect(bench.client.connected).toBe(true)
})

test('packets may leave as soon as the login is written, without waiting for the yes', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  bench.hear(greeting())
  bench.send(5, Uint8Array.of(9))
  expect(bench.written.map((frame) => frame.type)).toEqual([FRAME_CLIENT_INFO, FRAME_SEND_PACKET])
})

test('C1, C2: with a key known beforehand the login goes out at once, and the greeting that follows is passed over', () => {
  const bench = new ClientBench({ preferred: true })
  bench.send(5, Uint8Array.of(9))
  bench.client.handleOpened(0, SERVER_KEY)
  bench.drain()
  const sent = [FRAME_CLIENT_INFO, FRAME_NOTE_PREFERRED, FRAME_SEND_PACKET]
  expect(bench.written.map((frame) => frame.type)).toEqual(sent)
  bench.hear(greeting(), acceptance())
  expect(bench.client.connected).toBe(true)
  expect(bench.written).toHaveLength(3)
})

test('a known key of low order is waited out like no key at all', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0, new Uint8Array(32))
  expect(bench.written).toEqual([])
  bench.hear(greeting(), acceptance())
  expect(bench.client.connected).toBe(true)
})

test('C2: a packet before ServerInfo, and a second ServerKey, disturb nothing', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  bench.hear(greeting(), ONE_PACKET, greeting(), acceptance(), acceptance(), ONE_PACKET)
  expect(bench.count('packet')).toBe(2)
  expect(bench.events('connected')).toHaveLength(1)
  expect(bench.count('hang-up')).toBe(0)
})

test.each([
  ['a greeting without the magic', encodeFrame(1, new Uint8Array(40)), 'ERR_DERP_BAD_MAGIC'],
  ['another first frame', encodeKeepAlive(), 'ERR_DERP_BAD_MAGIC'],
  ['a greeting that claims 1 MiB + 1', Uint8Array.of(1, 0, 16, 0, 1), 'ERR_DERP_FRAME_TOO_LARGE'],
])('threat 26: %s ends the attempt', (_what, bytes, code) => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  bench.hear(bytes)
  expect(bench.count('hang-up')).toBe(1)
  expect(bench.events('disconnected')[0]?.error.code).toBe(code)
  expect(bench.written).toEqual([])
})

test('a ServerInfo that does not open with the announced key ends the connection', () => {
  const bench = new ClientBench()
  bench.client.handleOpened(0)
  bench.hear(greeting(), encodeFrame(3, new Uint8Array(60)))
  expect(bench.events('disconnected')[0]?.error.code).toBe('ERR_DERP_BAD_SERVER_INFO')
})

test('gives up dialling and login together after 10 s', () => {
  const bench = new ClientBench()
  bench.advance(5_000)
  bench.client.handleOpened(bench.now)
  bench.advance(4_999)
  expect(bench.count('hang-up')).toBe(0)
  bench.advance(1)
  expect(bench.count('hang-up')).toBe(1)
  expect(bench.events('disconnected')[0]?.error.code).toBe('ERR_DERP_CONNECT_TIMEOUT')
})

test('C5: 120 s without a frame and it hangs up; any frame starts the time anew', () => {
  const bench = new ClientBench().connect()
  bench.advance(LIVENESS_TIMEOUT - 1)
  bench.hear(encodeKeepAlive())
  bench.advance(LIVENESS_TIMEOUT - 1)
  expect(bench.count('hang-up')).toBe(0)
  bench.advance(1)
  expect(bench.count('hang-up')).toBe(1)
  expect(bench.events('disconnected')[0]?.error.code).toBe('ERR_DERP_SILENT')
})

test('C5: dials again with growing waits, none of them longer than 7.5 s', () => {
  const bench = new ClientBench()
  for (let i = 0; i < 20; i += 1) {
    bench.cut(new Error('no route'))
    bench.advance(bench.events('disconnected').at(-1)?.retryIn ?? 0)
  }
  const waits = bench.events('disconnected').map((event) => event.retryIn)
  expect(bench.count('dial')).toBe(21)
  expect(waits[0]).toBeLessThanOrEqual(60)
  expect(Math.min(...waits.slice(12))).toBeGreaterThanOrEqual(MAX_BACKOFF / 2)
  expect(Math.max(...waits)).toBeLessThanOrEqual(MAX_BACKOFF * 1.5)
})

test('C5: a connection that lasted makes the waits short again', () => {
  const bench = new ClientBench()
  for (let i = 0; i < 10; i += 1) {
    bench.cut()
    bench.advance(10_000)
  }
  bench.connect()
  bench.advance(MAX_BACKOFF)
  bench.cut()
  expect(bench.events('disconnected').at(-1)?.retryIn).toBeLessThanOrEqual(60)
})

test('threat 28: a relay that accepts and hangs up at once is not dialled in a tight loop', () => {
  const bench = new ClientBench()
  let dials = 0
  while (bench.now < 60_000) {
    bench.connect()
    bench.cut()
    bench.advance(bench.events('disconnected').at(-1)?.retryIn ?? 0)
    dials += 1
  }
  expect(dials).toBeLessThan(40)
})

test('C5: answers a ping, and sends none of its own', () => {
  const bench = new ClientBench().connect()
  const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
  bench.hear(encodePing(data))
  for (let i = 0; i < 100; i += 1) {
    bench.advance(60_000)
    bench.hear(encodeKeepAlive())
  }
  expect(bench.written.slice(1)).toEqual([{ type: FRAME_PONG, payload: data }])
})

test('C5: its own ping measures the round trip, and silence of 3 s condemns the connection', () => {
  const bench = new ClientBench().connect()
  bench.client.ping(bench.now)
  bench.drain()
  const ping = bench.written.at(-1)
  expect(ping?.type).toBe(FRAME_PING)
  bench.advance(40)
  bench.hear(encodePong(ping?.payload ?? new Uint8Array(8)))
  expect(bench.events('pong')).toMatchObject([{ roundTrip: 40 }])
  bench.advance(10_000)
  expect(bench.count('hang-up')).toBe(0)
  bench.client.ping(bench.now)
  bench.hear(encodePong(new Uint8Array(8)), encodeKeepAlive())
  bench.advance(3_000)
  expect(bench.count('hang-up')).toBe(1)
})

test('C6: the home relay is told so at each login, and of each change', () => {
  const bench = new ClientBench({ preferred: true }).connect()
  bench.client.notePreferred(false)
  bench.client.notePreferred(false)
  bench.client.notePreferred(true)
  bench.drain()
  bench.cut()
  bench.advance(1_000)
  bench.connect()
  const notes = bench.written.filter((frame) => frame.type === FRAME_NOTE_PREFERRED)
  expect(notes.map((frame) => frame.payload[0])).toEqual([1, 0, 1, 1])
})

test('hands out packets, departures, health, restarts and signs of life', () => {
  const bench = new ClientBench().connect()
  bench.hear(
    ONE_PACKET,
    encodePeerGone({ peer: KEY, reason: 1 }),
    encodeFrame(8, KEY),
    encodeHealth('trouble'),
    encodeHealth(''),
    encodeRestarting({ reconnectIn: 500, tryFor: 9_000 }),
    encodeKeepAlive(),
  )
  expect(bench.events('keep-alive')).toHaveLength(1)
  expect(bench.outputs.find((output) => output.kind === 'packet')).toEqual({
    kind: 'packet',
    source: KEY,
    packet: Uint8Array.of(1, 2, 3),
  })
  expect(bench.events('peer-gone').map((event) => [event.nodeKey, event.reason])).toEqual([
    [KEY, 1],
    [KEY, 0],
  ])
  expect(bench.events('health').map((event) => event.problem)).toEqual(['trouble', ''])
  expect(bench.events('restarting')).toMatchObject([{ reconnectIn: 500, tryFor: 9_000 }])
})

test('short and unknown frames are counted and passed over', () => {
  const bench = new ClientBench().connect()
  for (const type of [FRAME_RECV_PACKET, 8, FRAME_PING, FRAME_PONG, 0x15, 0x99]) bench.hear(encodeFrame(type))
  expect(bench.client.stats.ignored).toBe(6)
  expect(bench.client.connected).toBe(true)
})

test('up to 32 packets wait for the connection, the freshest ones', () => {
  const bench = new ClientBench()
  for (let i = 1; i <= 40; i += 1) bench.send(5, Uint8Array.of(i))
  expect(bench.client.stats).toMatchObject({ sent: 0, dropped: 8 })
  bench.connect()
  const packets = bench.written.filter((frame) => frame.type === FRAME_SEND_PACKET)
  expect(packets.map((frame) => frame.payload[32])).toEqual(Array.from({ length: 32 }, (_, i) => i + 9))
})

test('packets wait while the stream is full, and leave when it drains', () => {
  const bench = new ClientBench().connect()
  bench.client.handleFull()
  for (let i = 1; i <= 3; i += 1) bench.send(5, Uint8Array.of(i))
  expect(bench.client.stats.sent).toBe(0)
  bench.client.handleDrained(bench.now)
  bench.drain()
  expect(bench.client.stats).toMatchObject({ sent: 3, dropped: 0 })
})

test('a packet of more than 64 KiB is dropped here, not by the relay', () => {
  const bench = new ClientBench().connect()
  bench.send(5, new Uint8Array(65_537))
  expect(bench.client.stats).toMatchObject({ sent: 0, dropped: 1 })
})

test('C8: a rate that the server asks for is kept to by dropping', () => {
  const bench = new ClientBench().connect({
    version: 2,
    tokenBucketBytesPerSecond: 1_000,
    tokenBucketBytesBurst: 500,
  })
  for (let i = 0; i < 10; i += 1) bench.send(5, new Uint8Array(63))
  expect(bench.client.stats).toMatchObject({ sent: 5, dropped: 5 })
  bench.advance(100)
  bench.send(5, new Uint8Array(63))
  expect(bench.client.stats.sent).toBe(6)
})

test('close is for good', () => {
  const bench = new ClientBench().connect()
  bench.client.close()
  bench.client.close()
  bench.drain()
  bench.send(5, Uint8Array.of(1))
  bench.cut()
  bench.advance(1_000_000)
  expect(bench.count('hang-up')).toBe(1)
  expect(bench.count('dial')).toBe(1)
  expect(bench.client.pollTimeout()).toBe(Infinity)
})
