import { seededRandom } from '@mesh/sansio'
import { describe, expect, test } from 'vitest'
import { PortableDataPlane, type SessionKeys, WireGuardDevice } from '../src/index.ts'
import { A, B, marks, packet, prefix, typeOf, Wire } from './support.ts'

const initiations = (wire: Wire): number[] =>
  wire.log.filter((sent) => typeOf(sent.bytes) === 1).map((sent) => sent.at)

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
})

describe('what is inside', () => {
  test('W13 packets come out as long as they went in, whatever the padding', () => {
    const wire = new Wire()
    const sizes = [20, 21, 31, 32, 33, 100, 1_263, 1_264, 1_265, 1_279, 1_280]
    for (const size of sizes) wire.fromA(1, size)
    expect(wire.b.received.map((bytes) => bytes.length)).toEqual(sizes)
    const onWire = wire.log.filter((sent) => typeOf(sent.bytes) === 4).map((sent) => sent.bytes.length - 32)
    expect(onWire).toEqual([32, 32, 32, 32, 48, 112, 1_264, 1_264, 1_280, 1_280, 1_280])
  })

  test('W14 threat 18: an inner source that is not that peer’s is dropped and counted', () => {
    const wire = new Wire()
    wire.fromA()
    for (const source of ['100.64.0.2', '100.64.0.3', '::ffff:100.64.0.1', 'fd7a::3']) {
      const to = source.includes(':') ? 'fd7a::2' : '100.64.0.2'
      const inner = source.startsWith('::ffff') ? mapped() : packet(source, to)
      wire.a.device.handlePacket(inner, 0)
      wire.settle()
    }
    expect(wire.b.received.length).toBe(1)
    expect(wire.b.device.counters().drops['wrong-source']).toBe(4)
  })

  test('W14 two peers that own the same subnet may both send from it; the last named gets what is sent there', () => {
    const wire = new Wire()
    const subnet = prefix('192.168.0.0/24')
    const other = { id: 3, publicKey: new Uint8Array(32).fill(9), allowedIps: [subnet] }
    wire.b.device.setPeers(
      [...wire.b.peers.map((peer) => ({ ...peer, allowedIps: [subnet], routes: [] })), other],
      0,
    )
    wire.a.device.handlePacket(packet('192.168.0.9', '100.64.0.2', 50, 4), 0)
    wire.settle()
    expect(marks(wire.b.received)).toEqual([4])
    wire.b.device.handlePacket(packet('100.64.0.2', '192.168.0.9'), 0)
    expect(wire.b.device.status(3)?.handshaking).toBe(true)
  })

  test('a packet for nobody is dropped and counted, and so is what is no packet', () => {
    const wire = new Wire()
    wire.a.device.handlePacket(packet('100.64.0.1', '8.8.8.8'), 0)
    wire.a.device.handlePacket(new Uint8Array(0), 0)
    wire.a.device.handlePacket(new Uint8Array(40), 0)
    wire.a.device.handlePacket(packet('100.64.0.1', '100.64.0.2').subarray(0, 19), 0)
    expect(wire.a.device.counters().drops['no-route']).toBe(1)
    expect(wire.a.device.counters().drops['not-ip']).toBe(3)
    expect(wire.said()).toBe('')
  })

  test('W18 the priority packet goes first in every session, ahead of what waits', () => {
    const wire = new Wire()
    const opening = (mark: number) => ({
      priorityPacket: packet(`100.64.0.${mark & 1 ? 1 : 2}`, `100.64.0.${mark & 1 ? 2 : 1}`, 40, mark),
    })
    wire.a.device.setPeers(
      wire.a.peers.map((peer) => ({ ...peer, ...opening(77) })),
      0,
    )
    wire.b.device.setPeers(
      wire.b.peers.map((peer) => ({ ...peer, ...opening(88) })),
      0,
    )
    wire.fromA(1)
    expect(marks(wire.b.received)).toEqual([77, 1])
    expect(marks(wire.a.received)).toEqual([88])
    wire.advance(121_000)
    wire.fromA(2)
    expect(marks(wire.b.received)).toEqual([77, 1, 2, 77])
    expect(marks(wire.a.received)).toEqual([88, 88])
    wire.a.device.setPeers(wire.a.peers, wire.now)
    wire.advance(121_000)
    wire.fromA(3)
    expect(marks(wire.b.received)).toEqual([77, 1, 2, 77, 3])
  })
})

describe('peers that come and go', () => {
  test('the keys of a session are left nowhere but in the data plane', () => {
    const handed: SessionKeys[] = []
    const idle = new WireGuardDevice({
      privateKey: new Uint8Array(32).fill(0x33),
      random: (length) => new Uint8Array(length).fill(handed.length + 1),
      wallClock: () => 0,
      outputs: { toOverlay: () => undefined, toUnderlay: () => undefined },
      dataPlane: (outputs) => {
        const plane = new PortableDataPlane(outputs)
        plane.setSession = (_, session) => {
          expect(session.sendKey).not.toEqual(new Uint8Array(32))
          handed.push(session)
        }
        return plane
      },
    })
    const wire = new Wire()
    idle.setPeers(wire.b.peers, 0)
    wire.passes = () => false
    wire.fromA()
    idle.handleDatagram(wire.log[0]?.bytes ?? new Uint8Array(), 0, 0)
    expect(handed.map(({ sendKey, receiveKey }) => [...sendKey, ...receiveKey])).toEqual([
      Array.from({ length: 64 }, () => 0),
    ])
  })

  test('threat 19: a peer that was removed can neither send nor be sent to, though its session is young', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.b.device.setPeers([], wire.now)
    wire.fromA(2)
    wire.fromB(3)
    expect(marks(wire.b.received)).toEqual([1])
    expect(marks(wire.a.received)).toEqual([])
    expect(wire.b.device.counters().drops['unknown-index']).toBe(1)
    expect(wire.b.device.status(A)).toBeUndefined()
  })

  test('a peer that was reset shakes hands again at once', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.advance(1_000)
    wire.a.device.resetPeer(B, wire.now)
    wire.fromA(2)
    expect(marks(wire.b.received)).toEqual([1, 2])
    expect(wire.said()).toBe('a1 b2 a4 a1 b2 a4')
  })

  test('a peer that comes back with another key is another peer', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.b.device.setPeers(
      wire.b.peers.map((peer) => ({ ...peer, publicKey: new Uint8Array(32).fill(9) })),
      0,
    )
    wire.fromA(2)
    expect(marks(wire.b.received)).toEqual([1])
  })

  test('a closed device is silent', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.b.device.close()
    const before = wire.log.length
    wire.fromA(2)
    wire.fromB(3)
    expect(wire.said(before)).toBe('a4')
    expect(wire.b.device.pollTimeout()).toBe(Infinity)
  })
})

describe('sources', () => {
  test('threat 24: a source is vouched for by authentic data; a handshake is only a hint', () => {
    const wire = new Wire()
    wire.passes = (sent) => typeOf(sent.bytes) !== 4
    wire.fromA()
    expect(wire.b.sources).toEqual([{ peer: A, source: 7, proof: 'handshake' }])
    expect(wire.a.sources).toEqual([{ peer: B, source: 7, proof: 'handshake' }])
    const data = wire.log.at(-1)?.bytes ?? new Uint8Array()
    const forged = data.slice()
    forged[20] = (forged[20] ?? 0) ^ 1
    wire.b.device.handleDatagram(forged, 8, 0)
    expect(wire.b.sources.length).toBe(1)
    wire.b.device.handleDatagram(data, 9, 0)
    expect(wire.b.sources.at(-1)).toEqual({ peer: A, source: 9, proof: 'data' })
    wire.b.device.handleDatagram(data, 10, 0) // a replay from elsewhere
    expect(wire.b.sources.length).toBe(2)
  })

  test('counts what each peer sent and received', () => {
    const wire = new Wire()
    wire.fromA(1, 100)
    expect(wire.a.device.peerCounters(B)).toEqual({
      sentBytes: 144,
      sentPackets: 1,
      receivedBytes: 0,
      receivedPackets: 0,
    })
    expect(wire.b.device.peerCounters(A)).toEqual({
      sentBytes: 0,
      sentPackets: 0,
      receivedBytes: 144,
      receivedPackets: 1,
    })
    expect(wire.b.device.status(A)?.lastHandshakeAt).toBe(0)
  })
})

/** An IPv6 packet from ::ffff:100.64.0.1, which is not 100.64.0.1. */
function mapped(): Uint8Array {
  const bytes = packet('fd7a::3', 'fd7a::2')
  bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 100, 64, 0, 1], 8)
  return bytes
}

describe('an end that restarts', () => {
  test('is found again 15 s after the first unanswered packet, and at once when it sends itself', () => {
    const wire = new Wire()
    wire.fromA(1)
    wire.advance(30_000)
    wire.restartB()
    wire.fromA(2) // to a session that b knows no more
    expect(marks(wire.b.received)).toEqual([])
    wire.advance(15_400)
    wire.fromA(3)
    expect(marks(wire.b.received)).toEqual([3])
    wire.advance(30_000)
    wire.restartB()
    wire.fromB(4)
    wire.fromA(5)
    expect(marks(wire.a.received)).toEqual([4])
    expect(marks(wire.b.received)).toEqual([5])
  })
})
