// Three relay regions and two nodes that call different ones home: through which connection a packet leaves.
import { beforeEach, expect, test } from 'vitest'
import { RELAY_CLEAN_STALE_INTERVAL, RELAY_INACTIVE_CLEANUP_TIME } from '../src/relays.ts'
import { World, type WorldNode } from './support.ts'

let world: World
let a: WorldNode
let b: WorldNode

/** `a` is nearest to region 1, `b` calls region 2 home, and no datagram gets through between them. */
beforeEach(() => {
  world = new World()
  for (const id of [1, 2, 3]) world.addRegion(id, `192.0.2.${id}:3478`)
  world.latency = (_from, to) => (to.startsWith('192.0.2.1:') ? 5 : 50)
  world.isLost = (_from, to) => !to.startsWith('192.0.2.')
  a = world.add({ id: 1, addresses: ['198.51.100.1'] })
  b = world.add({ id: 2, addresses: ['203.0.113.2'], homeRelay: 2 })
  world.clock.advanceBy(10_000)
  a.meet(b.config())
  b.meet(a.config({ homeRelay: 1 }))
})

/** Connections that `a` opened and closed, in order. */
function connections(): string[] {
  return a.outputs.flatMap((output) =>
    output.kind === 'connect-relay' || output.kind === 'close-relay'
      ? [`${output.kind} ${output.region}`]
      : [],
  )
}

/** Lets `a` send, and returns by which relays. */
function relaysUsed(): string[] {
  const before = a.log.length
  a.send(2)
  return a.log.slice(before).flatMap(({ what, to }) => (what === 'wireguard' ? [to] : []))
}

test('C6: the home is connected before anything is sent; another region when a peer lives there, and until 60 s idle', () => {
  expect(a.sock.homeRelay).toBe(1)
  expect(connections()).toEqual(['connect-relay 1'])
  expect(relaysUsed()).toEqual(['relay 2'])
  expect(connections()).toEqual(['connect-relay 1', 'connect-relay 2'])
  a.meet()
  world.clock.advanceBy(RELAY_INACTIVE_CLEANUP_TIME - RELAY_CLEAN_STALE_INTERVAL)
  expect(connections()).toHaveLength(2)
  world.clock.advanceBy(3 * RELAY_CLEAN_STALE_INTERVAL)
  expect(connections()).toEqual(['connect-relay 1', 'connect-relay 2', 'close-relay 2'])
})

test('C9: a peer is answered on the connection on which it was heard, while there is none to its home', () => {
  a.receiveRelayed(1, b.nodeKey, Uint8Array.of(4, 0, 0, 0))
  expect(relaysUsed()).toEqual(['relay 1'])
  expect(connections()).toEqual(['connect-relay 1'])
})

test('C9: where there is a connection to its home, that is taken, wherever the peer was heard', () => {
  relaysUsed()
  a.receiveRelayed(1, b.nodeKey, Uint8Array.of(4, 0, 0, 0))
  expect(relaysUsed()).toEqual(['relay 2'])
})

test('C7: a departure from the relay takes back what was learned there, and the peer is tried at its home', () => {
  a.receiveRelayed(1, b.nodeKey, Uint8Array.of(4, 0, 0, 0))
  expect(relaysUsed()).toEqual(['relay 1'])
  a.sock.handlePeerGone(1, b.nodeKey)
  expect(relaysUsed()).toEqual(['relay 2'])
  expect(connections()).toEqual(['connect-relay 1', 'connect-relay 2'])
})

test('C7: a departure told by another relay than the one it was heard on takes nothing back', () => {
  a.receiveRelayed(1, b.nodeKey, Uint8Array.of(4, 0, 0, 0))
  a.sock.handlePeerGone(3, b.nodeKey)
  expect(relaysUsed()).toEqual(['relay 1'])
})

test('C7: after a departure from its home the peer is still sent to there', () => {
  expect(relaysUsed()).toEqual(['relay 2'])
  a.sock.handlePeerGone(2, b.nodeKey)
  expect(relaysUsed()).toEqual(['relay 2'])
})

test('C7, C9: a connection that broke takes all that was learned on it with it', () => {
  a.receiveRelayed(1, b.nodeKey, Uint8Array.of(4, 0, 0, 0))
  a.sock.handleRelayLost(1, world.clock.now())
  expect(relaysUsed()).toEqual(['relay 2'])
})
