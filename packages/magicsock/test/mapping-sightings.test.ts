// One STUN server cannot show whether a NAT gives each destination another port. What peers say that they saw beside it
// can, where they are several; one may lie.
import { decodeDiscoEnvelope } from '@mesh/wire/disco'
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import { MappingSightings, VERDICT_LIFETIME } from '../src/mapping-sightings.ts'
import { at, sealed, World, type WorldNode } from './support.ts'

const OUTSIDE = at('198.51.100.77:1').address
const SERVER = '192.0.2.1:3478'

describe('sightings', () => {
  const stun = at('198.51.100.77:5000')
  const other = at('198.51.100.77:5001')
  const observer = at('203.0.113.2:1').address
  let sightings: MappingSightings

  beforeEach(() => {
    sightings = new MappingSightings()
  })

  test('that agree with a STUN server mean one port for all, those that do not another for each', () => {
    sightings.note(1, observer, stun, 0)
    sightings.note(2, observer, stun, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
    sightings.note(1, observer, other, 0)
    sightings.note(2, observer, at('198.51.100.77:5002'), 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(true)
  })

  test.each([stun, other])('of one peer alone mean nothing, whatever it says: %o', (seen) => {
    sightings.note(1, observer, seen, 0)
    sightings.note(1, at('203.0.113.3:1').address, seen, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBeUndefined()
  })

  test('of most peers count, and of two who differ neither', () => {
    sightings.note(1, observer, other, 0)
    sightings.note(2, observer, stun, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBeUndefined()
    sightings.note(3, observer, stun, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
  })

  test('agree when all that are no older than five minutes are what a server saw, be it one alone', () => {
    const agree = (now = 0): boolean => sightings.agree(now)
    sightings.note(1, observer, stun, 0)
    expect(agree()).toBe(false)
    sightings.conclude(stun, undefined, 0)
    expect(agree()).toBe(true)
    sightings.note(2, observer, other, 0)
    expect(agree()).toBe(false)
    sightings.note(2, observer, stun, 1_000)
    expect(agree(1_000 + VERDICT_LIFETIME)).toBe(true)
    expect(agree(1_001 + VERDICT_LIFETIME)).toBe(false)
    sightings.note(1, observer, stun, 2_000)
    sightings.conclude(other, undefined, 2_000)
    expect(agree(2_000)).toBe(false)
  })

  test.each([true, false])('never stand against two STUN servers that say %s', (found) => {
    for (const peer of [1, 2, 3]) sightings.note(peer, observer, found ? stun : other, 0)
    expect(sightings.conclude(stun, found, 0)).toBe(found)
  })

  test('say nothing where no server answers', () => {
    sightings.note(1, observer, stun, 0)
    sightings.note(2, observer, stun, 0)
    expect(sightings.conclude(undefined, undefined, 0)).toBeUndefined()
  })

  test('are news until they have been compared, and again when they change', () => {
    expect(sightings.note(1, observer, other, 0)).toBe(true)
    expect(sightings.note(1, observer, other, 1)).toBe(true)
    sightings.conclude(stun, undefined, 2)
    expect(sightings.note(1, observer, other, 3)).toBe(false)
    expect(sightings.note(1, observer, stun, 4)).toBe(true)
  })

  test('say nothing when they are long ago, within one network, or of IPv6; the verdict stands for five minutes', () => {
    expect(sightings.note(1, at('192.168.1.2:1').address, at('192.168.1.9:7'), 0)).toBe(false)
    expect(sightings.note(1, observer, at('192.168.1.9:7'), 0)).toBe(false)
    expect(sightings.note(1, at('[2001:db8::1]:1').address, at('[2001:db8::2]:7'), 0)).toBe(false)
    const bothSay = (now: number): void => {
      for (const peer of [1, 2]) sightings.note(peer, observer, other, now)
    }
    bothSay(0)
    expect(sightings.conclude(stun, undefined, 10_001)).toBeUndefined()
    bothSay(20_000)
    expect(sightings.conclude(stun, undefined, 20_000)).toBe(true)
    expect(sightings.conclude(stun, undefined, 20_000 + VERDICT_LIFETIME)).toBe(true)
    expect(sightings.conclude(stun, undefined, 20_001 + VERDICT_LIFETIME)).toBeUndefined()
  })

  test('from before the NAT began anew say nothing', () => {
    for (const peer of [1, 2, 3]) sightings.note(peer, observer, stun, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
    sightings.note(1, observer, other, 3_000)
    expect(sightings.conclude(other, undefined, 3_000)).toBe(false)
  })

  test('are those of 32 peers at most, and none after the network has changed or the peer is gone', () => {
    for (const peer of [1, 2]) sightings.note(peer, observer, other, 0)
    for (let peer = 3; peer <= 34; peer += 1) sightings.note(peer, observer, stun, 0)
    for (let peer = 5; peer <= 34; peer += 1) sightings.forgetPeer(peer)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
    sightings.forget()
    expect(sightings.conclude(stun, undefined, 0)).toBeUndefined()
  })
})

describe('with one STUN server', () => {
  let world: World
  let behind: WorldNode
  /** Which outside port a destination sees. */
  let portFor: (to: Endpoint) => number

  beforeEach(() => {
    world = new World()
    world.addRegion(1, SERVER)
    portFor = () => 3_000
    const seenAs = (_from: Endpoint, to: Endpoint): Endpoint => ({ address: OUTSIDE, port: portFor(to) })
    behind = world.add({ id: 1, addresses: ['192.168.1.5'], seenAs })
    const peers = [2, 3].map((id) => world.add({ id, addresses: [`203.0.113.${id}`] }))
    world.clock.advanceBy(1_000)
    behind.meet(...peers.map((peer) => peer.config()))
    for (const peer of peers) peer.meet(behind.config())
  })

  function talk(duration: number): void {
    for (let t = 0; t < duration; t += 500) {
      for (const peer of [2, 3]) behind.send(peer)
      world.clock.advanceBy(500)
    }
  }

  test('nobody can tell before peers have answered', () => {
    expect(behind.sock.report?.globalV4.map(formatEndpoint)).toEqual(['198.51.100.77:3000'])
    expect(behind.sock.report?.mappingVariesByDestIp).toBeUndefined()
  })

  test('D13: a NAT that gives each destination another port is known as such by the pongs of two', () => {
    portFor = (to) => (formatEndpoint(to) === SERVER ? 3_000 : 3_000 + to.address.at(-1)!)
    world.clock.advanceBy(5_000)
    talk(7_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(true)
  })

  test('one that has one port for all is known as such', () => {
    world.clock.advanceBy(5_000)
    talk(7_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(false)
  })

  test('a NAT that began anew is not taken for the former, and its new port is told at once', () => {
    world.clock.advanceBy(5_000)
    talk(7_000)
    portFor = () => 4_000
    talk(7_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(false)
    expect(behind.sock.endpoints.map((local) => formatEndpoint(local.endpoint))).toContain(
      '198.51.100.77:4000',
    )
  })

  test.each([
    ['the same again and again', () => 7],
    ['another thing each time', (times: number) => 1_000 + times],
  ])(
    'threat 32: a peer that lies of where it sees us, %s, decides nothing, and STUN is not asked all the time',
    (_how, port) => {
      const liar = world.nodes[1]!
      let lies = 0
      world.isLost = (from, to, bytes) => {
        const pong = from === liar && decodeDiscoEnvelope(bytes) ? liar.log.at(-1)?.message : undefined
        if (pong?.kind !== 'pong') return false
        lies += 1
        const lie = { ...pong, source: { address: OUTSIDE, port: port(lies) } }
        world.clock.at(world.clock.now() + 10, () =>
          behind.receive(sealed(liar, behind, lie), at('203.0.113.2:41641')),
        )
        return true
      }
      world.clock.advanceBy(5_000)
      const since = world.clock.now()
      behind.keepSending(2, 500, 60_000)
      expect(lies).toBeGreaterThan(15)
      expect(behind.sock.report?.mappingVariesByDestIp).toBeUndefined()
      expect(behind.sent('stun', since).length).toBeLessThanOrEqual(13)
      behind.send(3)
      talk(60_000)
      expect(behind.sock.report?.mappingVariesByDestIp).toBeUndefined()
    },
  )

  test('pongs that say nothing new set off no further look', () => {
    world.clock.advanceBy(5_000)
    talk(7_000)
    const since = world.clock.now()
    talk(60_000)
    expect(behind.sent('stun', since).length).toBeLessThanOrEqual(3)
  })
})
