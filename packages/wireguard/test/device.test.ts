// Two devices and a wire: what they let through, whom they know and by what.
import { describe, expect, test } from 'vitest'
import { PortableDataPlane, type SessionKeys, WireGuardDevice } from '../src/index.ts'
import { A, B, marks, packet, prefix, typeOf, Wire } from './support.ts'

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
    for (const [high, low] of [
      [0x20, 0], // the first of some fragments, and a later one, which has no ports
      [0, 9],
    ] as const) {
      const fragment = packet('100.64.0.3', '100.64.0.2')
      fragment.set([high, low], 6)
      wire.a.device.handlePacket(fragment, 0)
      wire.settle()
    }
    expect(wire.b.received.length).toBe(1)
    expect(wire.b.device.counters().drops['wrong-source']).toBe(6)
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
