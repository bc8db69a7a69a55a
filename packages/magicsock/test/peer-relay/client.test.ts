// Two nodes that UDP cannot bring together, and a third of their network that forwards between them.
import { drain, seededRandom } from '@mesh/sansio'
import { decodeGeneve, GENEVE_WIREGUARD } from '@mesh/wire/geneve'
import { formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import type { PeerRelay } from '../../src/index.ts'
import { SENT } from '../../src/index.ts'
import { REQUEST_BURST } from '../../src/peer-relay/tunnel-seeker.ts'
import { ALLOCATE_RETRY, sortedPair } from '../../src/peer-relay/tunnel-request.ts'
import { at, sealed, wireguard, World, type WorldNode } from '../support.ts'

const RELAY_AT = '192.0.2.50:7777'

let world: World
let a: WorldNode
let b: WorldNode
let c: WorldNode
let relay: PeerRelay
let isDirectPossible: boolean

beforeEach(() => {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  isDirectPossible = false
  a = world.add({ id: 1, addresses: ['198.51.100.1'] })
  b = world.add({ id: 2, addresses: ['203.0.113.2'] })
  c = world.add({ id: 3, addresses: ['192.0.2.50'] })
  const ends = ['198.51.100.1:41641', '203.0.113.2:41641']
  world.isLost = (from, to) => !isDirectPossible && from !== c && ends.includes(to)
  world.clock.advanceBy(1_000)
  relay = world.addPeerRelay(c, RELAY_AT)
  world.clock.advanceBy(1_000)
  meet({ servesAsRelay: true }, { mayUseOurRelay: true })
})

function meet(server: object, client: object): void {
  a.meet(b.config(), c.config(server))
  b.meet(a.config(), c.config(server))
  c.meet(a.config(client), b.config(client))
}

function pathOf(node: WorldNode, peer: number): string | undefined {
  const hop = node.sock.status(peer, world.clock.now())?.peerRelay
  return hop && formatEndpoint(hop)
}

describe('a peer relay', () => {
  test('D18: becomes the path of two nodes that cannot be direct, and packets go through it and no other way', () => {
    a.send(2)
    world.clock.advanceBy(1_000)
    expect([pathOf(a, 2), pathOf(b, 1)]).toEqual([RELAY_AT, RELAY_AT])
    expect(a.news('path-changed').at(-1)?.path).toMatchObject({ kind: 'peer-relay', vni: 1, latency: 40 })
    b.arrivals.length = 0
    const before = c.log.length
    expect(a.send(2, 7)).toBe(SENT.peerRelay)
    world.clock.advanceBy(100)
    expect(b.arrivals).toMatchObject([{ via: 'udp', bytes: wireguard(7) }])
    expect(c.log.slice(before).filter(({ what }) => what === 'wireguard')).toEqual([])
    expect(a.sock.status(2, world.clock.now())?.traffic.sentPeerRelay.packets).toBe(1)
  })

  test('D18: carries WireGuard in Geneve of protocol 0x7A12', () => {
    a.send(2)
    world.clock.advanceBy(1_000)
    const seen: Uint8Array[] = []
    const forward = world.others.get(RELAY_AT)!
    world.others.set(RELAY_AT, (bytes, from) => {
      seen.push(bytes)
      forward(bytes, from)
    })
    a.send(2, 7)
    world.clock.advanceBy(20)
    const data = seen.map(decodeGeneve).find((packet) => packet?.protocol === GENEVE_WIREGUARD)
    expect(data).toMatchObject({ protocol: 0x7a12, control: false, vni: 1, payload: wireguard(7) })
  })

  test('D18: yields to a direct path as soon as there is one', () => {
    a.keepSending(2, 500, 4_000)
    expect(pathOf(a, 2)).toBe(RELAY_AT)
    isDirectPossible = true
    a.keepSending(2, 500, 6_000)
    expect(a.sock.status(2, world.clock.now())).toMatchObject({ peerRelay: undefined })
    expect(a.sock.status(2, world.clock.now())?.endpoint).toBeDefined()
    expect(a.send(2)).toBe(SENT.direct)
  })

  test('D18: is pinged every 3 s while in use, and its pongs keep it trusted', () => {
    a.keepSending(2, 500, 25_000)
    expect(pathOf(a, 2)).toBe(RELAY_AT)
    expect(a.send(2)).toBe(SENT.peerRelay)
    const through = a.log.filter(
      (sent) => sent.what === 'geneve' && sent.to === RELAY_AT && sent.at > 1_004_000,
    )
    expect(through.length).toBeGreaterThan(6)
  })

  test('that dies is given up for the relay region within 10 s', () => {
    a.keepSending(2, 500, 4_000)
    world.others.delete(RELAY_AT)
    a.keepSending(2, 500, 10_000)
    expect(pathOf(a, 2)).toBeUndefined()
    expect(a.send(2)).toBe(SENT.relay)
  })

  test('answers a CLI ping by its address and the number of the tunnel', () => {
    a.send(2)
    world.clock.advanceBy(1_000)
    a.sock.ping(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(200)
    const result = a.news('ping')[0]?.result
    expect(result).toMatchObject({ ok: true, vni: 1 })
  })
})

describe('who may', () => {
  test('a relay without the capability toward us is not asked', () => {
    meet({ servesAsRelay: false }, { mayUseOurRelay: true })
    a.keepSending(2, 500, 5_000)
    expect(a.sent('allocate-request')).toEqual([])
  })

  test('a client without the capability is not served', () => {
    meet({ servesAsRelay: true }, { mayUseOurRelay: false })
    a.keepSending(2, 500, 5_000)
    expect(a.sent('allocate-request')).toHaveLength(2)
    expect(c.sent('allocate-response')).toEqual([])
    expect(relay.sessions).toEqual([])
  })

  test('a client that asks for two others gets nothing', () => {
    const request = { kind: 'allocate-request', clientDisco: [b.sock.discoKey, c.sock.discoKey] } as const
    c.receiveRelayed(1, a.nodeKey, sealed(a, c, { ...request, generation: 9 }))
    expect(c.sent('allocate-response')).toEqual([])
  })

  test('threat 32: a client that asks without end is heard ten times a second, and others as ever', () => {
    const ask = (client: WorldNode, generation: number): void => {
      const clientDisco = sortedPair(client.sock.discoKey, seededRandom(generation)(32))
      const request = { kind: 'allocate-request', clientDisco, generation } as const
      c.receiveRelayed(1, client.nodeKey, sealed(client, c, request))
    }
    for (let i = 1; i <= 2 * REQUEST_BURST; i += 1) ask(a, i)
    expect(c.sent('allocate-response')).toHaveLength(REQUEST_BURST)
    expect(c.sock.drops['disco-too-often']).toBe(REQUEST_BURST)
    ask(b, 1_000)
    expect(c.sent('allocate-response')).toHaveLength(REQUEST_BURST + 1)
    world.clock.advanceBy(1_000)
    for (let i = 1; i <= 20; i += 1) ask(a, 2_000 + i)
    expect(c.sent('allocate-response')).toHaveLength(REQUEST_BURST + 11)
  })

  test('nothing about tunnels is believed that comes by UDP', () => {
    const request = { kind: 'allocate-request', clientDisco: [a.sock.discoKey, b.sock.discoKey] } as const
    c.receive(sealed(a, c, { ...request, generation: 9 }), {
      address: Uint8Array.of(198, 51, 100, 1),
      port: 41_641,
    })
    expect(c.sent('allocate-response')).toEqual([])
    expect(c.sock.drops['disco-not-by-relay']).toBe(1)
  })

  test('threat 32: a peer that names a thousand relays does not have us knock at a thousand doors', () => {
    const clientDisco = sortedPair(a.sock.discoKey, b.sock.discoKey)
    const endpoints = Array.from({ length: 100 }, (_, i) => ({
      address: Uint8Array.of(192, 0, 2, i),
      port: 7,
    }))
    const timing = { bindLifetime: 30_000, steadyStateLifetime: 300_000 }
    const before = a.log.length
    for (let i = 1; i <= 100; i += 1) {
      const via = {
        lamportId: BigInt(i),
        vni: i,
        serverDisco: new Uint8Array(32).fill(i),
        clientDisco,
        endpoints,
      }
      a.receiveRelayed(1, b.nodeKey, sealed(b, a, { kind: 'call-me-maybe-via', ...via, ...timing }))
    }
    expect(a.log.slice(before).filter(({ what }) => what === 'geneve').length).toBeLessThanOrEqual(8 * 16)
  })
})

describe('somebody who lies in the name of the peer relay', () => {
  const timing = { bindLifetime: 30_000, steadyStateLifetime: 300_000 }
  let liar: WorldNode

  beforeEach(() => {
    liar = world.add({ id: 4, addresses: ['192.0.2.60'] })
    world.clock.advanceBy(1_000)
  })

  /** A tunnel of the relay's that it never made, newer than all that it has. */
  function madeUp(vni: number, other: WorldNode) {
    const clientDisco = sortedPair(a.sock.discoKey, other.sock.discoKey)
    const made = { lamportId: 2n ** 63n, vni, serverDisco: relay.discoKey, clientDisco, ...timing }
    return { ...made, endpoints: [at(RELAY_AT)] }
  }

  test('being a peer: ends no handshake for the sake of another peer', () => {
    a.meet(b.config(), c.config({ servesAsRelay: true }), liar.config())
    a.send(2)
    world.clock.advanceBy(62)
    const via = { kind: 'call-me-maybe-via', ...madeUp(1, liar) } as const
    a.receiveRelayed(1, liar.nodeKey, sealed(liar, a, via))
    world.clock.advanceBy(1_000)
    expect([pathOf(a, 2), pathOf(b, 1)]).toEqual([RELAY_AT, RELAY_AT])
  })

  test.each([1, 9])(
    'being a peer relay too: keeps nobody from the tunnel of the true one (number %d)',
    (vni) => {
      const server = { servesAsRelay: true }
      a.meet(b.config(), c.config(server), liar.config(server))
      a.send(2)
      const requests = a.log.filter(({ what }) => what === 'allocate-request')
      const last = requests.at(-1)?.message
      if (last?.kind !== 'allocate-request') throw new Error('no request')
      const { generation } = last
      const response = { kind: 'allocate-response', generation, ...madeUp(vni, b) } as const
      a.receiveRelayed(1, liar.nodeKey, sealed(liar, a, response))
      world.clock.advanceBy(1_000)
      expect([pathOf(a, 2), pathOf(b, 1)]).toEqual([RELAY_AT, RELAY_AT])
    },
  )
})

test('threat 32: a challenge that seems to come from the overlay is not answered', () => {
  world.others.set(RELAY_AT, (bytes, from) => {
    relay.handleDatagram(bytes, from, world.clock.now())
    for (const challenge of drain(relay)) {
      if (formatEndpoint(challenge.to) === '198.51.100.1:41641')
        a.receive(challenge.bytes, at('100.64.0.9:7'))
    }
  })
  a.send(2)
  world.clock.advanceBy(1_000)
  expect(a.sock.drops['geneve-unexpected']).toBeGreaterThan(0)
  expect(a.log.filter(({ to }) => to === '100.64.0.9:7')).toEqual([])
})

test('a request that is lost is sent once more, and the answer to either is good', () => {
  world.relayLatency = Infinity
  a.send(2)
  world.clock.advanceBy(1_000)
  world.relayLatency = 30
  world.clock.advanceBy(ALLOCATE_RETRY)
  expect(a.sent('allocate-request')).toHaveLength(2)
  expect(pathOf(a, 2)).toBe(RELAY_AT)
})

test('binds and answers that are lost are sent again', () => {
  let lost = 0
  const blocked = world.isLost
  world.isLost = (from, to, bytes, hop) => {
    if (to !== RELAY_AT || lost >= 4) return blocked(from, to, bytes, hop)
    lost += 1
    return true
  }
  a.keepSending(2, 500, 6_000)
  expect([pathOf(a, 2), pathOf(b, 1)]).toEqual([RELAY_AT, RELAY_AT])
})

test('a node that is a peer relay itself uses it too', () => {
  c.meet(a.config({ mayUseOurRelay: true }))
  a.meet(c.config())
  const both = ['198.51.100.1:41641', '192.0.2.50:41641']
  world.isLost = (_from, to) => both.includes(to)
  c.send(1)
  world.clock.advanceBy(1_000)
  expect(pathOf(c, 1)).toBe(RELAY_AT)
})
