// One STUN server cannot show whether a NAT gives each destination another port. What peers saw beside it can.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import { MappingSightings, VERDICT_LIFETIME } from '../src/mapping-sightings.ts'
import { at, World, type WorldNode } from './support.ts'

const OUTSIDE = at('198.51.100.77:1').address
const SERVER = '192.0.2.1:3478'
const PEER = '203.0.113.2:41641'

describe('sightings', () => {
  const stun = at('198.51.100.77:5000')
  const observer = at('203.0.113.2:1').address
  const another = at('203.0.113.3:1').address

  test('that agree with a STUN server mean one port for all, one that does not means another for each', () => {
    const sightings = new MappingSightings()
    expect(sightings.conclude(stun, undefined, 0)).toBeUndefined()
    sightings.note(observer, at('198.51.100.77:5000'), 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
    sightings.note(another, at('198.51.100.77:5001'), 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(true)
    expect(sightings.conclude(stun, false, 0)).toBe(true)
  })

  test('of two peers are enough where no server answers', () => {
    const sightings = new MappingSightings()
    sightings.note(observer, stun, 0)
    expect(sightings.conclude(undefined, undefined, 0)).toBeUndefined()
    sightings.note(another, stun, 0)
    expect(sightings.conclude(undefined, undefined, 0)).toBe(false)
  })

  test('say nothing when they are long ago, within one network, or of IPv6; the verdict stands for five minutes', () => {
    const sightings = new MappingSightings()
    expect(sightings.note(at('192.168.1.2:1').address, at('192.168.1.9:7'), 0)).toBe(false)
    expect(sightings.note(observer, at('192.168.1.9:7'), 0)).toBe(false)
    expect(sightings.note(at('[2001:db8::1]:1').address, at('[2001:db8::2]:7'), 0)).toBe(false)
    sightings.note(observer, at('198.51.100.77:5001'), 0)
    expect(sightings.conclude(stun, undefined, 10_001)).toBeUndefined()
    sightings.note(observer, at('198.51.100.77:5001'), 20_000)
    expect(sightings.conclude(stun, undefined, 20_000)).toBe(true)
    expect(sightings.conclude(stun, undefined, 20_000 + VERDICT_LIFETIME)).toBe(true)
    expect(sightings.conclude(stun, undefined, 20_001 + VERDICT_LIFETIME)).toBeUndefined()
  })

  test('are those of 32 observers at most, and none after the network has changed', () => {
    const sightings = new MappingSightings()
    sightings.note(observer, at('198.51.100.77:5001'), 0)
    for (let n = 1; n <= 32; n += 1) sightings.note(Uint8Array.of(203, 0, 113, 100 + n), stun, 0)
    expect(sightings.conclude(stun, undefined, 0)).toBe(false)
    sightings.forget()
    expect(sightings.conclude(stun, undefined, 0)).toBeUndefined()
  })
})

describe('with one STUN server', () => {
  let world: World
  let behind: WorldNode
  let peer: WorldNode
  /** Which outside port a destination sees. */
  let portFor: (to: Endpoint) => number

  beforeEach(() => {
    world = new World()
    world.addRegion(1, SERVER)
    portFor = () => 3_000
    const seenAs = (_from: Endpoint, to: Endpoint): Endpoint => ({ address: OUTSIDE, port: portFor(to) })
    behind = world.add({ id: 1, addresses: ['192.168.1.5'], seenAs })
    peer = world.add({ id: 2, addresses: ['203.0.113.2'] })
    world.clock.advanceBy(1_000)
    behind.meet(peer.config())
    peer.meet(behind.config())
  })

  test('nobody can tell before a peer has answered', () => {
    expect(behind.sock.report?.globalV4.map(formatEndpoint)).toEqual(['198.51.100.77:3000'])
    expect(behind.sock.report?.mappingVariesByDestIp).toBeUndefined()
  })

  test('D13: a NAT that gives each destination another port is known as such by the first pong', () => {
    portFor = (to) => (formatEndpoint(to) === PEER ? 3_001 : 3_000)
    world.clock.advanceBy(5_000)
    behind.keepSending(2, 500, 1_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(true)
  })

  test('one that has one port for all is known as such', () => {
    world.clock.advanceBy(5_000)
    behind.keepSending(2, 500, 1_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(false)
  })

  test('a NAT that began anew is not taken for the former, and its new port is told at once', () => {
    world.clock.advanceBy(5_000)
    behind.keepSending(2, 500, 7_000)
    portFor = () => 4_000
    behind.keepSending(2, 500, 4_000)
    expect(behind.sock.report?.mappingVariesByDestIp).toBe(false)
    expect(behind.sock.endpoints.map((local) => formatEndpoint(local.endpoint))).toContain(
      '198.51.100.77:4000',
    )
  })

  test('pongs that say nothing new set off no further look', () => {
    world.clock.advanceBy(5_000)
    behind.keepSending(2, 500, 1_000)
    const since = world.clock.now()
    behind.keepSending(2, 500, 60_000)
    expect(behind.sent('stun', since).length).toBeLessThanOrEqual(3)
  })
})
