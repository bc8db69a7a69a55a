// Two devices, a wire and a clock: sessions that grow old, and keepalives.
import { seededRandom } from '@mesh/sansio'
import { describe, expect, test } from 'vitest'
import { B, initiations, marks, typeOf, Wire } from './support.ts'

describe('rekeying', () => {
  test('W9 the initiator begins anew when it sends at 120 s; the responder goes on up to 180 s', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(119_000)
    wire.fromA()
    expect(initiations(wire).length).toBe(1)
    wire.advance(2_000)
    wire.fromB(1)
    expect(initiations(wire).length).toBe(1)
    wire.fromA(2)
    expect(initiations(wire)).toEqual([0, 121_000])
  })

  test('W9 at 180 s both refuse to send and to accept with the old key', () => {
    const wire = new Wire()
    wire.fromA()
    wire.passes = (sent) => typeOf(sent.bytes) === 4
    wire.fromA(1)
    const late = wire.log.at(-1)?.bytes ?? new Uint8Array()
    wire.advance(180_000)
    const opened = wire.b.device.counters().opened
    wire.b.device.handleDatagram(late, 7, wire.now)
    expect(wire.b.device.counters().opened).toBe(opened)
    expect(wire.b.device.counters().drops.expired).toBe(1)
    const before = wire.log.length
    wire.fromB(2)
    expect(wire.said(before)).toBe('b1')
  })

  test('W9 receiving on an own session older than 165 s begins exactly one handshake', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(166_000)
    wire.passes = (sent) => typeOf(sent.bytes) === 4
    const before = wire.log.length
    wire.fromB(1)
    wire.fromB(2)
    wire.fromB(3)
    expect(wire.said(before)).toBe('b4 a1 b4 b4')
  })

  test('W11 packets of the old and the new key pass each other without loss', () => {
    const wire = new Wire()
    wire.fromA(0)
    wire.advance(121_000)
    const late: Uint8Array[] = []
    wire.passes = (sent) => {
      if (sent.from !== wire.b || typeOf(sent.bytes) !== 4) return true
      late.push(sent.bytes)
      return false
    }
    wire.fromB(1)
    wire.fromA(2) // begins the next session
    wire.fromB(3)
    wire.passes = () => true
    wire.fromB(4)
    for (const bytes of late) wire.a.device.handleDatagram(bytes, 7, wire.now)
    expect(new Set(marks(wire.a.received))).toEqual(new Set([1, 3, 4]))
    expect(marks(wire.b.received)).toEqual([0, 2])
  })

  test('W9 ten years of a packet now and then: every one arrives, and nothing is left over in between', {
    timeout: 120_000,
  }, () => {
    const wire = new Wire()
    const random = seededRandom(10)
    const DAY = 86_400_000
    let sent = 0
    while (wire.now < 3_653 * DAY) {
      const [a = 0, b = 0, c = 0] = random(3)
      // From a second to a week: within a session, at its end, and long after it.
      wire.advance(1_000 * 2 ** ((a / 255) * 19) + b)
      wire.log.length = 0
      if (c & 1) wire.fromA(sent & 255)
      else wire.fromB(sent & 255)
      sent += 1
      wire.advance(6_000) // where the other side had given its session up, a retry
      expect(wire.a.received.length + wire.b.received.length).toBe(sent)
    }
    expect(sent).toBeGreaterThan(7_000)
    wire.advance(1_000_000)
    expect([wire.a.device.pollTimeout(), wire.b.device.pollTimeout()]).toEqual([Infinity, Infinity])
    expect(wire.a.device.counters().drops).toMatchObject({ 'no-session': 0, replayed: 0, forged: 0 })
  })

  test('threat 17: no counter is sent twice under one key, through rekeys and resets', () => {
    const wire = new Wire()
    for (let second = 0; second < 900; second += 1) {
      if (second % 100 === 50) wire.a.device.resetPeer(B, wire.now)
      wire.fromA(second & 255)
      wire.fromB(second & 255)
      wire.advance(1_000)
    }
    const sealed = wire.log.filter(({ bytes }) => typeOf(bytes) === 4)
    const nonces = sealed.map(({ from, bytes }) => `${from.name} ${bytes.subarray(4, 16).join('.')}`)
    expect(new Set(nonces).size).toBe(sealed.length)
    expect(sealed.length).toBeGreaterThan(1_700)
  })

  test('a session kept busy for an hour loses nothing', { timeout: 60_000 }, () => {
    const wire = new Wire()
    for (let second = 0; second < 3_600; second += 1) {
      wire.fromA(second & 255)
      wire.fromB(second & 255)
      wire.advance(1_000)
    }
    expect(wire.b.received.length).toBe(3_600)
    expect(wire.a.received.length).toBe(3_600)
    expect(initiations(wire).length).toBeGreaterThan(25)
    expect(initiations(wire).length).toBeLessThan(35)
  })
})

describe('keeping alive', () => {
  test('W10 one-way traffic: the receiver breaks its silence after 10 s with one empty packet', () => {
    const wire = new Wire()
    wire.fromA()
    const before = wire.log.length
    wire.advance(9_999)
    expect(wire.said(before)).toBe('')
    wire.advance(1)
    expect(wire.said(before)).toBe('b4')
    expect(wire.log.at(-1)?.bytes.length).toBe(32)
    wire.advance(60_000)
    expect(wire.said(before)).toBe('b4')
  })

  test('W10 whoever answers in time needs no keepalive', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(5_000)
    wire.fromB()
    const before = wire.log.length
    wire.advance(7_000)
    expect(wire.said(before)).toBe('')
    wire.advance(3_000)
    expect(wire.said(before)).toBe('a4')
  })

  test('W10 data that comes while a keepalive is due is answered by it, data after it by another', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(5_000)
    wire.fromA()
    wire.advance(6_000)
    wire.fromA()
    wire.advance(60_000)
    const empty = wire.log.filter((sent) => sent.from === wire.b && typeOf(sent.bytes) === 4)
    expect(empty.map((sent) => sent.at)).toEqual([10_000, 21_000])
  })

  test('W10 a sender that hears nothing for 15 s and the jitter begins a handshake', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(30_000)
    const before = wire.log.length
    wire.passes = (sent) => sent.from === wire.a
    wire.fromA()
    wire.advance(14_999)
    expect(wire.said(before)).toBe('a4 b4')
    wire.advance(334)
    expect(wire.said(before)).toBe('a4 b4 a1 b2')
  })

  test('a persistent keepalive keeps a quiet peer reached, and begins the session too', () => {
    const wire = new Wire()
    wire.a.device.setPeers(
      wire.a.peers.map((peer) => ({ ...peer, keepalive: 25_000 })),
      0,
    )
    wire.advance(100_000)
    expect(wire.said()).toBe('a1 b2 a4 a4 a4 a4 a4')
  })

  test('W16 after 540 s without a handshake nothing is left, and the next packet begins again', () => {
    const wire = new Wire()
    wire.fromA()
    const late = wire.log.at(-1)?.bytes ?? new Uint8Array()
    wire.advance(541_000)
    wire.b.device.handleDatagram(late, 7, wire.now)
    expect(wire.b.device.counters().drops['unknown-index']).toBe(1)
    expect(wire.a.device.pollTimeout()).toBe(Infinity)
    expect(wire.b.device.pollTimeout()).toBe(Infinity)
    wire.fromA(3)
    expect(marks(wire.b.received)).toEqual([0, 3])
  })

  test('W16 a handshake that is under way when the keys before it are wiped goes on, to its good or its bad end', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.advance(539_900)
    wire.passes = (sent) => typeOf(sent.bytes) !== 2
    wire.fromA(2)
    const response = wire.log.at(-1)?.bytes ?? new Uint8Array()
    wire.advance(200)
    wire.passes = () => true
    wire.a.device.handleDatagram(response, 7, wire.now)
    wire.settle()
    expect(marks(wire.b.received)).toEqual([1, 2])
    wire.advance(539_900)
    wire.passes = () => false
    wire.fromA(3)
    wire.advance(110_000)
    expect(wire.a.events.at(-1)?.event).toBe('handshake-failed')
    wire.advance(600_000)
    expect(wire.a.device.pollTimeout()).toBe(Infinity)
  })
})
