// Who is believed in disco, what is answered and what is not; and the first bytes that tell packets apart.
import { formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import { classify } from '../src/demux.ts'
import { MAX_CANDIDATES } from '../src/candidates.ts'
import { at, sealed, texts, wireguard, twoPublicNodes, World, type WorldNode } from './support.ts'

const A = '198.51.100.1:41641'
const TX_ID = Uint8Array.from({ length: 12 }, (_, i) => i)

let world: World
let a: WorldNode
let b: WorldNode

beforeEach(() => {
  ;({ world, a, b } = twoPublicNodes())
})

function candidatesOf(node: WorldNode, peer: number): string[] {
  return texts(node.sock.status(peer, world.clock.now())!.candidates)
}

describe('a ping', () => {
  test('D5: over UDP is answered to its source by UDP, with the source as seen', () => {
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }), at('192.0.2.9:99'))
    const [pong] = b.log.filter((entry) => entry.what === 'pong')
    expect(pong).toMatchObject({ to: '192.0.2.9:99' })
    expect(pong?.message?.kind === 'pong' && formatEndpoint(pong.message.source)).toBe('192.0.2.9:99')
  })

  test('D5: through a relay is answered through that relay, with 127.3.3.40 and the region as source', () => {
    b.receiveRelayed(7, a.nodeKey, sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }))
    const [pong] = b.log.filter((entry) => entry.what === 'pong')
    expect(pong).toMatchObject({ to: 'relay 7' })
    expect(pong?.message?.kind === 'pong' && formatEndpoint(pong.message.source)).toBe('127.3.3.40:7')
    expect(candidatesOf(b, 1)).toEqual([A])
  })

  test('over UDP makes its source a candidate, and vouches for it when WireGuard comes from there', () => {
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }), at('192.0.2.9:99'))
    expect(candidatesOf(b, 1)).toEqual(['192.0.2.9:99', A])
    expect(b.sock.handleDatagram(wireguard(), at('192.0.2.9:99'), world.clock.now())).toBe(1)
  })

  test('repeated from the same address is answered once', () => {
    const ping = sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey })
    b.receive(ping, at(A))
    b.receive(ping, at(A))
    b.receive(ping, at('192.0.2.9:99'))
    expect(b.sent('pong')).toEqual([A, '192.0.2.9:99'])
    expect(b.sock.drops['disco-repeated-ping']).toBe(1)
  })

  test('D1: with trailing bytes is understood', () => {
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey, padding: 900 }), at(A))
    expect(b.sent('pong')).toEqual([A])
  })

  test('D1: under a disco key nobody has costs no crypto and gets no answer', () => {
    const stranger = world.add({ id: 9, addresses: ['192.0.2.66'] })
    b.receive(sealed(stranger, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }), at('192.0.2.66:6'))
    expect(b.sent('pong')).toEqual([])
    expect(b.sock.drops).toMatchObject({ 'disco-unknown-sender': 1, 'disco-sealed-badly': 0 })
  })

  test('under our own disco key is dropped', () => {
    b.receive(sealed(b, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }), at(A))
    expect(b.sock.drops['disco-own-key']).toBe(1)
  })

  test('threat 32: shorter than its pong is not answered over UDP', () => {
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID }), at(A))
    expect(b.sent('pong')).toEqual([])
    expect(b.sock.drops['disco-short-ping']).toBe(1)
  })

  test('D6: claiming a node whose disco key is another one is not attributed to that node', () => {
    const c = world.add({ id: 3, addresses: ['192.0.2.3'] })
    world.clock.advanceBy(100)
    b.meet(a.config(), c.config())
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: c.nodeKey }), at('192.0.2.9:99'))
    expect(candidatesOf(b, 3)).toEqual(['192.0.2.3:41641'])
    expect(b.sock.handleDatagram(wireguard(), at('192.0.2.9:99'), world.clock.now())).toBe(1)
  })

  test('of a machine that is several nodes is attributed by the node key it names, else to none', () => {
    const twin = { ...a.config(), id: 3, nodeKey: a.nodeKey.map((byte) => byte ^ 0xff) }
    b.meet(a.config(), twin)
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: twin.nodeKey }), at('192.0.2.9:1'))
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: new Uint8Array(32) }), at('192.0.2.9:2'))
    expect(b.sock.handleDatagram(wireguard(), at('192.0.2.9:1'), world.clock.now())).toBe(3)
    expect(b.sock.handleDatagram(wireguard(), at('192.0.2.9:2'), world.clock.now())).toBe(-1)
    expect(b.sent('pong')).toHaveLength(2)
  })
})

describe('what a stranger may set off', () => {
  test('threat 32: nothing is sent to multicast, broadcast, nowhere, loopback, or into the overlay', () => {
    const forbidden = [
      '224.0.0.1:5',
      '255.255.255.255:5',
      '0.0.0.0:5',
      '127.0.0.1:5',
      '100.101.102.103:5',
      '203.0.113.50:0',
      '[ff02::1]:5',
      '[::1]:5',
      '[fe80::1]:5',
      '[fd7a:115c:a1e0::5]:5',
    ]
    b.meet(a.config({ endpoints: forbidden.map(at) }))
    b.receiveRelayed(1, a.nodeKey, sealed(a, b, { kind: 'call-me-maybe', endpoints: forbidden.map(at) }))
    b.send(1)
    expect(b.sent('ping')).toEqual([])
    expect(candidatesOf(b, 1)).toEqual([])
  })

  test('loopback is an endpoint like any other where it is allowed', () => {
    const c = world.add({ id: 3, addresses: ['192.0.2.3', '127.0.0.1'], allowLoopback: true })
    world.clock.advanceBy(1_000)
    expect(texts(c.config().endpoints)).toContain('127.0.0.1:41641')
    c.meet(a.config({ endpoints: [at('127.0.0.1:5')] }))
    c.send(1)
    expect(c.sent('ping')).toEqual(['127.0.0.1:5'])
  })

  test('a machine that has nothing but loopback uses it', () => {
    const c = world.add({ id: 3, addresses: ['127.0.0.1'] })
    world.clock.advanceBy(4_000)
    c.meet(a.config({ endpoints: [at('127.0.0.1:5')] }))
    c.send(1)
    expect(c.sent('ping')).toEqual(['127.0.0.1:5'])
  })

  test('threat 32: a call with a thousand endpoints is not a thousand pings', () => {
    const endpoints = Array.from({ length: 1_000 }, (_, i) => at(`192.0.2.${i % 250}:${1 + i}`))
    b.receiveRelayed(1, a.nodeKey, sealed(a, b, { kind: 'call-me-maybe', endpoints }))
    expect(b.sent('ping').length).toBeLessThanOrEqual(MAX_CANDIDATES + 1)
  })

  test('threat 32: pings from a thousand sources do not fill the memory', () => {
    for (let i = 0; i < 1_000; i++) {
      const txId = Uint8Array.from({ length: 12 }, (_, k) => i >> k)
      b.receive(sealed(a, b, { kind: 'ping', txId, nodeKey: a.nodeKey }), at(`192.0.2.9:${1 + i}`))
    }
    expect(candidatesOf(b, 1).length).toBeLessThanOrEqual(MAX_CANDIDATES)
    expect(candidatesOf(b, 1)).toContain(A)
  })

  test('an address that only pings have shown is forgotten 45 s after the last', () => {
    b.receive(sealed(a, b, { kind: 'ping', txId: TX_ID, nodeKey: a.nodeKey }), at('192.0.2.9:99'))
    world.clock.advanceBy(46_000)
    b.send(1)
    expect(candidatesOf(b, 1)).toEqual([A])
  })
})

describe('a pong', () => {
  test('that answers nothing we asked is dropped', () => {
    b.receive(sealed(a, b, { kind: 'pong', txId: TX_ID, source: at('192.0.2.9:9') }), at(A))
    expect(b.sock.drops['disco-unknown-pong']).toBe(1)
  })

  test('for an address that is no candidate any more opens no path', () => {
    a.send(2)
    a.meet(b.config({ endpoints: [] }))
    world.clock.advanceBy(25)
    expect(a.sock.status(2, world.clock.now())?.endpoint).toBeUndefined()
    expect(a.sock.drops['disco-unknown-pong']).toBe(1)
  })
})

describe('WireGuard datagrams', () => {
  test("D10: from an unmapped address are nobody's, and what they bring about goes by path or relay", () => {
    expect(b.sock.handleDatagram(wireguard(1), at('192.0.2.9:99'), world.clock.now())).toBe(-1)
    b.send(1)
    expect(b.sent('wireguard')).toEqual(['relay 1'])
  })

  test('D10: once authenticated their source is mapped for receiving only', () => {
    const from = at('192.0.2.9:99')
    b.sock.handleDatagram(wireguard(1), from, world.clock.now())
    b.sock.attribute(b.sock.lastSource, 1, world.clock.now())
    expect(b.sock.handleDatagram(wireguard(2), at('192.0.2.9:99'), world.clock.now())).toBe(1)
    b.send(1)
    expect([...b.sent('wireguard'), ...b.sent('ping')]).toEqual(['relay 1', A])
  })

  test('from made-up sources turn a ring of tokens, and the old ones mean nothing', () => {
    const tokens: number[] = []
    for (let i = 0; i < 1_100; i++) {
      b.sock.handleDatagram(wireguard(1), at(`192.0.2.9:${1 + i}`), world.clock.now())
      tokens.push(b.sock.lastSource)
    }
    expect(new Set(tokens).size).toBe(1_100)
    b.sock.attribute(tokens[0]!, 1, world.clock.now())
    b.sock.attribute(tokens.at(-1)!, 1, world.clock.now())
    expect(b.sock.handleDatagram(wireguard(1), at('192.0.2.9:1'), world.clock.now())).toBe(-1)
    expect(b.sock.handleDatagram(wireguard(1), at('192.0.2.9:1100'), world.clock.now())).toBe(1)
  })

  test('through a relay belong to the node the relay names, and nobody else', () => {
    expect(b.sock.handleRelayPacket(1, a.nodeKey, wireguard(), world.clock.now())).toBe(1)
    const { lastSource } = b.sock
    expect(b.sock.handleRelayPacket(1, a.nodeKey, wireguard(), world.clock.now())).toBe(1)
    expect(b.sock.lastSource).toBe(lastSource)
    b.sock.attribute(lastSource, 1, world.clock.now())
    expect(b.sock.handleRelayPacket(1, new Uint8Array(32), wireguard(), world.clock.now())).toBe('consumed')
    expect(b.sock.drops['relay-unknown-sender']).toBe(1)
  })

  test('threat 23: each source has a name of its own, and an answer goes there and nowhere else', () => {
    const now = world.clock.now()
    const names: string[] = []
    const take = (): void => {
      names.push(String(b.sock.nameSource(b.sock.lastSource)))
      expect(b.sock.sendToSource(b.sock.lastSource, wireguard(3))).toBe(true)
    }
    for (const from of ['192.0.2.9:99', '192.0.2.9:100', '192.0.2.8:99']) {
      b.sock.handleDatagram(wireguard(1), at(from), now)
      take()
    }
    b.sock.handleRelayPacket(1, a.nodeKey, wireguard(1), now)
    take()
    expect(new Set(names).size).toBe(4)
    expect(b.sent('wireguard')).toEqual(['192.0.2.9:99', '192.0.2.9:100', '192.0.2.8:99', 'relay 1'])
    expect([b.sock.nameSource(99_999), b.sock.sendToSource(99_999, wireguard())]).toEqual([undefined, false])
  })

  test('threat 21: datagrams of 65 507 bytes, of one, and of none change nothing', () => {
    const from = at('192.0.2.9:99')
    expect(b.sock.handleDatagram(new Uint8Array(65_507), from, world.clock.now())).toBe(-1)
    expect(b.sock.handleDatagram(Uint8Array.of(0x54), from, world.clock.now())).toBe(-1)
    expect(b.sock.handleDatagram(new Uint8Array(0), from, world.clock.now())).toBe('consumed')
    a.send(2)
    world.clock.advanceBy(100)
    expect(b.arrivals).toHaveLength(1)
  })
})

describe('the first bytes tell', () => {
  const disco = sealedPing()
  const geneve = (protocol: number, ...rest: number[]): Uint8Array =>
    Uint8Array.of(0, 0, protocol >> 8, protocol & 0xff, 0, 0, 1, 0, ...rest)
  const stun = Uint8Array.of(1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(12))
  const table: [what: string, bytes: Uint8Array, kind: string][] = [
    ['a STUN response', stun, 'stun'],
    ['a STUN response cut short', stun.subarray(0, 19), 'wireguard'],
    ['disco', disco, 'disco'],
    ['the disco magic and a key, no more', disco.subarray(0, 38), 'disco'],
    ['the disco magic alone', disco.subarray(0, 37), 'wireguard'],
    ['WireGuard in Geneve', geneve(0x7a12), 'geneve'],
    ['disco in Geneve', geneve(0x7a11, ...disco), 'geneve'],
    ['what Geneve calls disco and is none', geneve(0x7a11, 1, 2, 3), 'wireguard'],
    ['Geneve of another protocol', geneve(0x6558), 'wireguard'],
    ['WireGuard transport data', wireguard(), 'wireguard'],
    ['a WireGuard initiation', Uint8Array.of(1, 0, 0, 0), 'wireguard'],
    ['garbage', Uint8Array.of(0xff, 0xff), 'wireguard'],
  ]

  test.each(table)('%s', (_what, bytes, kind) => {
    expect(classify(bytes)).toBe(kind)
  })
})

function sealedPing(): Uint8Array {
  const here = new World()
  const node = here.add({ id: 1, addresses: [] })
  return sealed(node, node, { kind: 'ping', txId: TX_ID })
}
