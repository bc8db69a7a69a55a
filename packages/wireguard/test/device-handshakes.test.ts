// Two devices and a wire: how they come by a session, and what they make of handshakes that are not meant so.
import { describe, expect, test } from 'vitest'
import { A, B, initiations, marks, packet, typeOf, Wire } from './support.ts'

describe('establishing', () => {
  test('W8 a packet sent before there is a session arrives after the handshake it causes', () => {
    const wire = new Wire()
    wire.fromA(5)
    expect(wire.said()).toBe('a1 b2 a4')
    expect(marks(wire.b.received)).toEqual([5])
    expect(wire.a.events).toEqual([{ kind: 'event', event: 'established', peer: B, initiator: true }])
    expect(wire.b.events).toEqual([{ kind: 'event', event: 'established', peer: A, initiator: false }])
  })

  test('W8 what waits is delivered in order, the newest 128 of it', () => {
    const wire = new Wire()
    wire.passes = () => false
    for (let i = 0; i < 150; i += 1) wire.fromA(i)
    wire.passes = () => true
    wire.advance(6_000)
    expect(marks(wire.b.received)).toEqual(Array.from({ length: 128 }, (_, i) => i + 22))
    expect(wire.a.device.counters().drops['staged-overflow']).toBe(22)
  })

  test('both ways and in both families', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.fromB(2)
    wire.a.device.handlePacket(packet('fd7a::1', 'fd7a::2', 60, 3), 0)
    wire.settle()
    expect(marks(wire.b.received)).toEqual([1, 3])
    expect(marks(wire.a.received)).toEqual([2])
  })

  test('W7 the initiator sends a keepalive at once when it has nothing else, the responder nothing before', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(121_000)
    const before = wire.log.length
    wire.passes = (sent) => !(sent.from === wire.a && typeOf(sent.bytes) === 4)
    wire.fromA() // lost, but it begins the next handshake
    expect(wire.said(before)).toBe('a4 a1 b2 a4')
    expect(wire.log.at(-1)?.bytes.length).toBe(32)
    const unheard = wire.log.length
    wire.fromB(9) // b was not confirmed: it goes on with the key before
    const oldIndex = wire.log[0]?.bytes.subarray(4, 8)
    expect(wire.log[unheard]?.bytes.subarray(4, 8)).toEqual(oldIndex)
    expect(marks(wire.a.received)).toEqual([9])
  })

  test('W7 a responder that was never heard keeps its packets until it is', () => {
    const wire = new Wire()
    wire.passes = (sent) => typeOf(sent.bytes) !== 4
    wire.fromA(1)
    wire.fromB(2)
    expect(wire.said()).toBe('a1 b2 a4')
    wire.passes = () => true
    wire.fromA(3)
    expect(wire.said()).toBe('a1 b2 a4 a4 b4')
    expect(marks(wire.a.received)).toEqual([2])
  })

  test('two that begin at the same moment have a session at once, and no packet is lost', () => {
    const wire = new Wire()
    const held: (() => void)[] = []
    wire.passes = (sent) => {
      held.push(() => (sent.from === wire.a ? wire.b : wire.a).device.handleDatagram(sent.bytes, 7, wire.now))
      return false
    }
    wire.fromA(1)
    wire.fromB(2)
    for (let next = held.shift(); next !== undefined; next = held.shift()) next()
    wire.passes = () => true
    wire.fromA(3)
    wire.fromB(4)
    expect(marks(wire.b.received)).toEqual([1, 3])
    expect(marks(wire.a.received)).toEqual([2, 4])
    expect(wire.now).toBe(0)
  })

  test('a pre-shared key that differs on the two sides keeps them apart', () => {
    const wire = new Wire()
    const withKey = (byte: number) => ({ presharedKey: new Uint8Array(32).fill(byte) })
    wire.a.device.setPeers(
      wire.a.peers.map((peer) => ({ ...peer, ...withKey(1) })),
      0,
    )
    wire.b.device.setPeers(
      wire.b.peers.map((peer) => ({ ...peer, ...withKey(2) })),
      0,
    )
    wire.fromA(1)
    expect(wire.said()).toBe('a1 b2')
    wire.b.device.setPeers(
      wire.b.peers.map((peer) => ({ ...peer, ...withKey(1) })),
      0,
    )
    wire.advance(6_000)
    expect(marks(wire.b.received)).toEqual([1])
  })
})

describe('refusing', () => {
  test('W3 junk and wrong lengths bring forth nothing', () => {
    const wire = new Wire()
    wire.fromA()
    const initiation = wire.log[0]?.bytes ?? new Uint8Array()
    const before = wire.log.length
    const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte)
    const junk = [filled(0, 0), filled(1, 7), filled(31, 4), filled(65_507, 1), filled(148, 1)]
    const lengths = [147, 149, 92, 64].map((length) => {
      const bytes = new Uint8Array(length)
      bytes.set(initiation.subarray(0, length))
      return bytes
    })
    for (const bytes of [...junk, ...lengths]) {
      wire.b.device.handleDatagram(bytes, 7, 0)
      wire.settle()
    }
    expect(wire.log.length).toBe(before)
    wire.fromA(5) // threat 21: and data goes on
    expect(marks(wire.b.received)).toEqual([0, 5])
  })

  test('W3 datagrams of every length, of every type there is or is not, bring forth nothing', () => {
    const wire = new Wire()
    wire.fromA()
    const before = wire.log.length
    for (let length = 0; length <= 300; length += 1) {
      for (let type = 0; type < 8; type += 1) {
        const bytes = new Uint8Array(length).fill(length & 255)
        bytes.set(Uint8Array.of(type, 0, 0, 0).subarray(0, length))
        wire.b.device.handleDatagram(bytes, 7, 0)
      }
    }
    wire.settle()
    expect([wire.log.length, wire.b.events.length]).toEqual([before, 1])
    wire.fromA(5)
    expect(marks(wire.b.received)).toEqual([0, 5])
  })

  test('W3 a bad MAC1 is never answered', () => {
    const wire = new Wire()
    wire.passes = () => false
    wire.fromA()
    const initiation = wire.log[0]?.bytes ?? new Uint8Array()
    initiation[117] = (initiation[117] ?? 0) ^ 1
    wire.b.device.handleDatagram(initiation, 7, 0)
    expect(wire.b.device.handshakeDrops['bad-mac1']).toBe(1)
    expect(wire.said()).toBe('a1')
  })

  test('W4 threat 25: a replayed initiation and one with an older timestamp get no response', () => {
    const wire = new Wire()
    wire.fromA()
    wire.advance(125_000)
    wire.fromA()
    const [first, second] = wire.log.filter((sent) => typeOf(sent.bytes) === 1)
    const before = wire.log.length
    for (const old of [first, second]) {
      wire.advance(1_000)
      wire.b.device.handleDatagram(old?.bytes ?? new Uint8Array(), 7, wire.now)
      wire.settle()
    }
    expect(wire.log.slice(before).filter((sent) => typeOf(sent.bytes) === 2)).toEqual([])
    expect(wire.b.device.handshakeDrops.replayed).toBe(2)
  })

  test('W4 a replayed initiation gets no response even after 540 idle seconds wiped the keys', () => {
    const wire = new Wire()
    wire.fromA()
    const initiation = wire.log[0]?.bytes ?? new Uint8Array()
    wire.advance(1_000_000)
    wire.b.device.handleDatagram(initiation, 7, wire.now)
    expect(wire.b.device.handshakeDrops.replayed).toBe(1)
  })

  test('W17 an initiation from an unknown key leaves no trace', () => {
    const wire = new Wire()
    wire.b.device.setPeers([], 0)
    wire.fromA()
    expect(wire.said()).toBe('a1')
    expect(wire.b.device.handshakeDrops['unknown-peer']).toBe(1)
    wire.b.device.setPeers(wire.b.peers, 0)
    wire.advance(6_000)
    expect(wire.b.received.length).toBe(1)
  })

  test('a forged response does not spoil the handshake: the true one completes it', () => {
    const wire = new Wire()
    wire.passes = (sent) => typeOf(sent.bytes) !== 2
    wire.fromA(1)
    const response = wire.log[1]?.bytes ?? new Uint8Array()
    const forged = response.slice()
    forged[50] = (forged[50] ?? 0) ^ 1
    wire.a.device.handleDatagram(forged, 7, 0)
    wire.a.device.handleDatagram(response, 7, 0)
    wire.settle()
    expect(marks(wire.b.received)).toEqual([1])
  })
})

describe('trying again', () => {
  test('W6 with a silent peer: 20 initiations 5 s + 0…333 ms apart, then silence; a new packet starts over', () => {
    const wire = new Wire()
    wire.passes = () => false
    wire.fromA(1)
    wire.advance(200_000)
    const times = initiations(wire)
    expect(times.length).toBe(20)
    for (let i = 1; i < times.length; i += 1) {
      const gap = (times[i] ?? 0) - (times[i - 1] ?? 0)
      expect(gap).toBeGreaterThanOrEqual(5_000)
      expect(gap).toBeLessThanOrEqual(5_333)
    }
    expect(wire.a.events.map((event) => event.event)).toEqual(['handshake-failed'])
    expect(wire.a.device.counters().drops['no-session']).toBe(1)
    wire.passes = () => true
    wire.fromA(2)
    expect(marks(wire.b.received)).toEqual([2])
  })

  test('W5 never two initiations within 5 s, however much there is to send', () => {
    const wire = new Wire()
    wire.passes = () => false
    for (let i = 0; i < 300; i += 1) {
      wire.fromA(i)
      wire.advance(100)
    }
    const times = initiations(wire)
    for (let i = 1; i < times.length; i += 1)
      expect((times[i] ?? 0) - (times[i - 1] ?? 0)).toBeGreaterThanOrEqual(5_000)
    expect(times.length).toBeGreaterThan(4)
  })

  test('a responder whose session was never confirmed begins a handshake of its own after 5 s', () => {
    const wire = new Wire()
    wire.passes = (sent) => typeOf(sent.bytes) === 1
    wire.fromA(1) // b answers, the answer is lost, and a is gone
    wire.passes = (sent) => sent.from === wire.b || wire.now > 0
    wire.fromB(2)
    wire.a.device.setPeers([], 0)
    wire.a.device.setPeers(wire.a.peers, 0)
    wire.advance(5_000)
    expect(marks(wire.a.received)).toEqual([2])
  })
})
