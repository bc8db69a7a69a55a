// What an owner with a packet thread of its own says and asks: its datagrams do not pass through the machine.
import { formatEndpoint } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import { at, twoPublicNodes, type World, type WorldNode } from './support.ts'

const B = '203.0.113.2:41641'

let world: World
let a: WorldNode
let b: WorldNode

beforeEach(() => {
  ;({ world, a, b } = twoPublicNodes())
})

/** Notes traffic ten times a second, and returns the last answer. */
function carryOn(ms: number): string {
  let endpoint
  for (let spent = 0; spent < ms; spent += 100) {
    endpoint = a.sock.noteTraffic(2, world.clock.now())
    a.wake()
    world.clock.advanceBy(100)
  }
  return endpoint === undefined ? 'by send' : formatEndpoint(endpoint)
}

describe('traffic that takes a way of the owner’s own', () => {
  test('may go nowhere before there is a path, then straight, and its path is kept for as long as it flows (D7)', () => {
    expect(carryOn(100)).toBe('by send')
    a.send(2)
    world.clock.advanceBy(100)
    expect(carryOn(60_000)).toBe(B)
  })

  test('may be asked about without being noted: an idle path is not kept for it', () => {
    a.send(2)
    world.clock.advanceBy(100)
    const straight = a.sock.noteTraffic(2, world.clock.now())
    expect(a.sock.straightPath(2, world.clock.now())).toBe(straight)
    expect(straight).toBeDefined()
    for (let spent = 0; spent < 60_000; spent += 100) {
      a.sock.straightPath(2, world.clock.now())
      a.wake()
      world.clock.advanceBy(100)
    }
    expect(a.sock.straightPath(2, world.clock.now())).toBeUndefined()
    expect(a.sock.straightPath(9, world.clock.now())).toBeUndefined()
  })

  test('must go by send again when its path is silent for longer than it is trusted (D8)', () => {
    a.send(2)
    world.clock.advanceBy(100)
    world.isLost = () => true
    expect(carryOn(6_000)).toBe(B)
    expect(carryOn(4_000)).toBe('by send')
  })

  test('must not go to a peer that is unknown or whose key has expired', () => {
    a.send(2)
    world.clock.advanceBy(100)
    a.meet(b.config({ expired: true }))
    expect(a.sock.noteTraffic(2, world.clock.now())).toBeUndefined()
    expect(a.sock.noteTraffic(9, world.clock.now())).toBeUndefined()
  })

  test('vouches for its source, so that a handshake from there is that peer’s', () => {
    const from = at('192.0.2.9:9')
    const initiation = Uint8Array.of(1, 0, 0, 0)
    expect(a.sock.handleDatagram(initiation, from, world.clock.now())).toBe(-1)
    a.sock.attributeEndpoint(from, 2, world.clock.now())
    expect(a.sock.handleDatagram(initiation, from, world.clock.now())).toBe(2)
  })
})
