// A NAT that gives each destination another port, and a peer whose endpoint is the same for everybody: the one opens
// doors, the other tries ports. What it costs those who know nothing of it, and how a hit becomes the path.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Hop } from '../src/index.ts'
import { DOORS, OFFER_AFTER_UNLIKELY, OFFER_AFTER_UNSURE, OFFER_PAUSES } from '../src/port-search/doors.ts'
import { MAX_PROBES, SEARCH_PAUSES } from '../src/port-search/port-search.ts'
import { at, sealed, World, type WorldNode } from './support.ts'

const HARD_OUTSIDE = '198.51.100.77'
const HARD = at(`${HARD_OUTSIDE}:1`).address
const EASY_AT = '203.0.113.2:41641'
/** What the hard NAT draws for its doors. */
const FIRST_DOOR_PORT = 20_000

let world: World
let hard: WorldNode
let easy: WorldNode

function seenAs(_from: Endpoint, to: Endpoint & { readonly door?: number }): Endpoint {
  // Another port for each destination and each socket.
  const port = to.door === undefined ? 3_000 + (to.address[3]! % 100) : FIRST_DOOR_PORT + to.door
  return { address: HARD, port }
}

function doorAt(port: number): number | undefined {
  return port > FIRST_DOOR_PORT && port <= FIRST_DOOR_PORT + 10_000 ? port - FIRST_DOOR_PORT : undefined
}

beforeEach(() => begin(2))

/** So many STUN servers tell the two where they are. */
function begin(servers: 1 | 2): void {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  if (servers === 2) world.addRegion(2, '192.0.2.2:3478')
  hard = world.add({ id: 1, addresses: ['192.168.1.5'], canOpenDoors: true, seenAs, doorAt })
  easy = world.add({ id: 2, addresses: ['203.0.113.2'], canOpenDoors: true })
  // The easy side lets in by port; the hard side lets a port in once its door has sent.
  world.isLost = (from, to, _bytes, { door }) => {
    if (from === easy && to.startsWith(HARD_OUTSIDE)) {
      const tried = doorAt(at(to).port)
      return tried === undefined || !hard.log.some((entry) => entry.to === EASY_AT && tried <= hardDoors())
    }
    if (from !== hard || to !== EASY_AT) return false
    const outside = door === undefined ? undefined : formatEndpoint(seenAs(at(to), { ...at(to), door }))
    return !easy.log.some((entry) => entry.to === outside)
  }
  world.clock.advanceBy(2_000)
  hard.meet(easy.config())
  easy.meet(hard.config())
}

/** The last door that has been opened. */
function hardDoors(): number {
  return hard.outputs.reduce(
    (last, output) => Math.max(last, (output.kind === 'datagram' && output.to.door) || 0),
    0,
  )
}

function closedDoors(): number[] {
  return hard.outputs.flatMap((output) => (output.kind === 'close-door' ? [output.door] : []))
}

function pathOf(node: WorldNode, peer: number): string | undefined {
  const endpoint = node.sock.status(peer, world.clock.now())?.endpoint
  return endpoint && formatEndpoint(endpoint)
}

function probes(since = 0): string[] {
  return easy.log
    .filter((entry) => entry.at >= since && entry.to.startsWith(HARD_OUTSIDE))
    .map(({ to }) => to)
}

test('a door by which the peer comes in stays open, though a crowd of its addresses pushes out that one', () => {
  hard.keepSending(2, 500, 10_000)
  const inUse: Hop | undefined = hard.sock.status(2, world.clock.now())?.endpoint
  expect(inUse?.door).toBeGreaterThan(0)
  for (let i = 1; i <= 150; i += 1) {
    const ping = {
      kind: 'ping',
      txId: new Uint8Array(12).fill(i),
      nodeKey: easy.nodeKey,
      padding: 0,
    } as const
    hard.receive(sealed(easy, hard, ping), at(`203.0.113.9:${1_000 + i}`))
  }
  world.clock.advanceBy(5_000)
  expect(closedDoors()).not.toContain(inUse?.door)
})

test('ends in a direct path within 10 s, by one door; the others are closed', () => {
  hard.keepSending(2, 500, 10_000)
  expect(pathOf(hard, 2)).toBe(EASY_AT)
  expect(closedDoors()).toHaveLength(hardDoors() - 1)
  easy.keepSending(1, 500, 2_000)
  expect(doorAt(at(pathOf(easy, 1)!).port)).toBeDefined()
  easy.send(1, 5)
  hard.send(2, 6)
  world.clock.advanceBy(100)
  expect(hard.arrivals.at(-1)).toMatchObject({ via: 'udp', peer: 2 })
  expect(easy.arrivals.at(-1)).toMatchObject({ via: 'udp', peer: 1 })
})

test('with one STUN server, where nobody can tell how the NATs map, both sides try both parts: direct within 15 s', () => {
  begin(1)
  expect(hard.sock.report?.mappingVariesByDestIp).toBeUndefined()
  for (let t = 0; t < 15_000; t += 500) {
    hard.send(2)
    easy.send(1)
    world.clock.advanceBy(500)
  }
  expect(pathOf(hard, 2)).toBe(EASY_AT)
  expect(doorAt(at(pathOf(easy, 1)!).port)).toBeDefined()
})

test.each([
  ['the same port as the server: not before 8 s', '203.0.113.101', OFFER_AFTER_UNLIKELY],
  ['another: after 3 s, as without it', '203.0.113.102', OFFER_AFTER_UNSURE],
])('with one STUN server, and one other peer that sees %s', (_what, witnessAddress, after) => {
  begin(1)
  const witness = world.add({ id: 3, addresses: [witnessAddress] })
  world.clock.advanceBy(1_000)
  hard.meet(easy.config(), witness.config())
  witness.meet(hard.config())
  const began = world.clock.now()
  for (let t = 0; t < 9_000; t += 500) {
    hard.send(2)
    hard.send(3)
    world.clock.advanceBy(500)
  }
  expect(hard.sock.report?.mappingVariesByDestIp).toBeUndefined()
  const [offer] = hard.log.filter(({ what }) => what === 'doors-offer').map((entry) => entry.at - began)
  expect(offer).toBeGreaterThanOrEqual(after)
  expect(offer).toBeLessThan(after + 1_000)
})

test('is not begun where ordinary pings find a path', () => {
  world.isLost = () => false
  hard.keepSending(2, 500, 10_000)
  expect(hard.sent('doors-offer')).toEqual([])
})

test('the door is closed when its peer is gone', () => {
  hard.keepSending(2, 500, 10_000)
  hard.meet()
  expect(closedDoors()).toHaveLength(hardDoors())
})

test('a door by which another peer has come in stays open for as long as there is that peer', () => {
  const other = world.add({ id: 3, addresses: ['203.0.113.3'] })
  hard.meet(easy.config(), other.config())
  const { isLost } = world
  world.isLost = (from, ...rest) => from === easy || isLost(from, ...rest)
  hard.keepSending(2, 500, 3_000)
  world.isLost = isLost
  const ping = { kind: 'ping', txId: new Uint8Array(12), nodeKey: other.nodeKey } as const
  hard.receive(sealed(other, hard, ping), { ...at('203.0.113.3:41641'), door: 7 })
  hard.keepSending(2, 500, 10_000)
  expect(pathOf(hard, 2)).toBe(EASY_AT)
  expect(closedDoors()).not.toContain(7)
  expect(closedDoors()).toContain(8)
  hard.meet(easy.config())
  expect(closedDoors()).toContain(7)
})

test('a packet thread is not handed a path that goes by a door', () => {
  hard.keepSending(2, 500, 10_000)
  expect(pathOf(hard, 2)).toBe(EASY_AT)
  expect(hard.sock.noteTraffic(2, world.clock.now())).toBeUndefined()
})

describe('a peer that knows nothing of it', () => {
  test('hears of it ever more rarely, and no door is opened', () => {
    easy.stop()
    const began = world.clock.now()
    hard.keepSending(2, 1_000, 15 * 60_000)
    const offers = hard.log.filter(({ what }) => what === 'doors-offer').map((entry) => entry.at - began)
    expect(offers).toHaveLength(OFFER_PAUSES.length)
    const pauses = offers.slice(1).map((offer, i) => offer - offers[i]!)
    pauses.forEach((pause, i) => expect(pause).toBeGreaterThanOrEqual(OFFER_PAUSES[i]!))
    expect(hardDoors()).toBe(0)
  })
})

describe('the searching side', () => {
  const offer = { kind: 'doors-offer', address: HARD, doors: DOORS } as const

  beforeEach(() => {
    // Nobody answers behind any port.
    world.isLost = (from, to) => from === easy && to.startsWith(HARD_OUTSIDE)
    hard.stop()
  })

  test('threat 32: tries 250 ports a second and 2 048 in all, each once, and none below 1024', () => {
    const began = world.clock.now()
    easy.receiveRelayed(1, hard.nodeKey, sealed(hard, easy, offer))
    world.clock.advanceBy(1_200)
    expect(probes(began).length).toBeLessThanOrEqual(255)
    expect(probes(began).length).toBeGreaterThanOrEqual(245)
    world.clock.advanceBy(60_000)
    expect(probes(began).length).toBeLessThanOrEqual(MAX_PROBES + 20)
    expect(new Set(probes(began)).size).toBe(probes(began).length)
    for (const probe of probes(began)) expect(at(probe).port).toBeGreaterThanOrEqual(1_024)
  })

  test('threat 32: an offer that comes again and again is one search in 12 s', () => {
    const began = world.clock.now()
    for (let t = 0; t < SEARCH_PAUSES[0]; t += 1_000) {
      easy.receiveRelayed(1, hard.nodeKey, sealed(hard, easy, offer))
      world.clock.advanceBy(1_000)
    }
    expect(probes(began).length).toBeLessThanOrEqual(MAX_PROBES + 20)
    expect(easy.sent('doors-accept')).toHaveLength(1)
  })

  test('threat 32: one that comes to nothing is followed by others ever more rarely', () => {
    const began = world.clock.now()
    for (let t = 0; t < 200_000; t += 1_000) {
      easy.receiveRelayed(1, hard.nodeKey, sealed(hard, easy, offer))
      world.clock.advanceBy(1_000)
    }
    const searches = easy.log.filter(({ what }) => what === 'doors-accept').map((entry) => entry.at - began)
    expect(searches).toEqual([0, 12_000, 48_000, 168_000].map((after) => after + (searches[0] ?? NaN)))
    expect(probes(began).length).toBeLessThanOrEqual(4 * (MAX_PROBES + 20))
  })

  test('threat 32: tries no address that is not the peer’s, nor for an offer that comes by UDP', () => {
    const elsewhere = at('192.0.2.99:1').address
    easy.receiveRelayed(1, hard.nodeKey, sealed(hard, easy, { ...offer, address: elsewhere }))
    easy.receive(sealed(hard, easy, offer), at(`${HARD_OUTSIDE}:3002`))
    world.clock.advanceBy(5_000)
    expect(easy.sent('doors-accept')).toEqual([])
    expect(easy.sock.drops['disco-not-by-relay']).toBe(1)
  })
})

test.each([
  ['address that is not the peer’s', at('192.0.2.99:7')],
  ['port 0', { ...at(EASY_AT), port: 0 }],
])('opens doors toward no %s', (_what, endpoint) => {
  easy.stop()
  hard.keepSending(2, 500, 2_500)
  expect(hard.sent('doors-offer')).toHaveLength(1)
  hard.receiveRelayed(1, easy.nodeKey, sealed(easy, hard, { kind: 'doors-accept', endpoint }))
  world.clock.advanceBy(1_000)
  expect(hardDoors()).toBe(0)
})
