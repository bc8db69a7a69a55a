// The property of maps: whoever applies every response of a stream to the snapshot it began with has, whenever things are
// quiet, the very map that a new stream would begin with. Two servers share the network, and everything that can happen
// to nodes happens in any order.

import { applyMapResponse } from '@mesh/netmap'
import type { NetworkMap } from '@mesh/netmap'
import { seededRandom } from '@mesh/sansio'
import { decodeMapResponse } from '@mesh/wire/control'
import type { MapResponse } from '@mesh/wire/control'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL, MemoryStore, OFFLINE_GRACE } from '../src/index.ts'
import { hexOf, type MachineFake, World } from './support.ts'

const MACHINES = 5
const USERS = ['ann', 'bob']

/** What may happen to machine `who`, at server `where`. */
interface Step {
  readonly what: (typeof WHAT)[number]
  readonly who: number
  readonly where: number
  readonly value: number
}

const WHAT = [
  'join',
  'open',
  'hang up',
  'tell endpoints',
  'tell a home relay',
  'tell a hostname',
  'offer routes',
  'restart',
  'rotate',
  'log out',
  'rename',
  'tag',
  'approve routes',
  'expire',
  'extend',
  'delete',
  'rename the user',
  'write a policy',
  'wait a moment',
  'wait for the grace',
] as const

const step: fc.Arbitrary<Step> = fc.record({
  // Who is out has to come back now and then.
  what: fc.constantFrom(...WHAT, 'join', 'open', 'join', 'open'),
  who: fc.integer({ min: 0, max: MACHINES - 1 }),
  where: fc.integer({ min: 0, max: 1 }),
  value: fc.integer({ min: 0, max: 3 }),
})

/** All, what hides nodes, what leaves some of their routes to some, and what goes by owners and tags. */
const POLICIES = [
  '{}',
  '{"acls":[{"action":"accept","src":["ann@"],"dst":["bob@:*"]}]}',
  '{"acls":[{"action":"accept","src":["*"],"dst":["100.64.0.0/10:*"]},{"action":"accept","src":["ann@"],"dst":["10.1.0.0/16:*"]}]}',
  '{"acls":[{"action":"accept","src":["bob@"],"dst":["10.0.0.0/8:*","autogroup:internet:*"]}]}',
  '{"acls":[{"action":"accept","src":["autogroup:member"],"dst":["autogroup:self:*"]}]}',
  '{"tagOwners":{"tag:t0":["ann@"],"tag:t1":[]},"acls":[{"action":"accept","src":["tag:t0","bob@"],"dst":["tag:t1:*","ann@:22"]},{"action":"accept","src":["ann@"],"dst":["autogroup:self:*"]}]}',
] as const

/** A stream that somebody listens to. */
interface Listener {
  readonly world: World
  readonly who: number
  readonly nodeKey: string
  readonly exchange: number
}

/** Two servers and five machines. */
class Play {
  readonly worlds: readonly [World, World]
  readonly machines: MachineFake[] = []
  readonly listeners: Listener[] = []

  constructor() {
    const store = new MemoryStore()
    const servers = ['0', '1']
    const world = (server: string): World =>
      new World({ store, server, servers, random: seededRandom(Number(server)) })
    this.worlds = [world('0'), world('1')]
    for (let i = 0; i < MACHINES; i += 1) this.machines.push(this.worlds[0].machine(i + 1))
    for (const name of USERS) this.worlds[0].user(name)
    for (let who = 0; who < MACHINES; who += 1) {
      this.do({ what: 'join', who, where: who % 2, value: who % 2 })
      this.do({ what: 'open', who, where: who % 2, value: 0 })
      this.do({ what: 'approve routes', who, where: 0, value: 2 })
    }
  }

  /** Every server hears what the others did, and everybody is told. */
  settle(): void {
    const [first, second] = this.worlds
    for (let before = -1; before !== first.store.version; ) {
      before = first.store.version
      for (const world of this.worlds) world.catchUp()
      for (const world of this.worlds) world.advance(BATCH_INTERVAL)
      second.collect()
    }
  }

  do({ what, who, where, value }: Step): void {
    const world = this.worlds[where] as World
    world.catchUp()
    const machine = this.#at(who, world)
    const node = world.coordinator.nodes.all().find((each) => each.node.nodeKey === machine.nodeKey)?.node
    const { coordinator } = world
    const tell = (change: Record<string, unknown>): void => {
      const Hostinfo = { Hostname: `box-${who}`, OS: 'linux', ...node?.hostinfo, ...change }
      machine.tell({ Hostinfo, Endpoints: node?.endpoints ?? [] })
    }
    switch (what) {
      case 'join':
        machine.login(world.key({ user: USERS[value % 2] as string, ephemeral: value === 3 }))
        break
      case 'open':
        if (node) this.listeners.push({ world, who, nodeKey: node.nodeKey, exchange: machine.stream() })
        break
      case 'hang up': {
        const [listener] = this.listeners.splice(value, 1)
        listener?.world.coordinator.handleGone(listener.exchange, listener.world.now)
        break
      }
      case 'tell endpoints':
        machine.tell({ Endpoints: Array.from({ length: value }, (_, i) => `192.0.2.${who + 1}:${i + 1}`) })
        break
      case 'tell a home relay':
        tell({ NetInfo: { PreferredDERP: 900 + value } })
        break
      case 'tell a hostname':
        tell({ Hostname: `host-${value}` })
        break
      case 'offer routes':
        tell({ RoutableIPs: ['10.0.0.0/8', '0.0.0.0/0', '192.168.0.0/16'].slice(0, value) })
        break
      case 'restart':
        machine.discoKey = `discokey:${hexOf(1000 * who + value + 1)}`
        machine.tell({})
        break
      case 'rotate':
        machine.nodeKey = `nodekey:${hexOf(100_000 * (who + 1) + this.#fresh())}`
        machine.login(world.key({ user: USERS[value % 2] as string }))
        break
      case 'log out':
        machine.logout()
        break
      case 'rename':
        if (node) coordinator.nodes.rename(node.id, `name-${node.id}-${value}`, world.now)
        break
      case 'tag':
        if (node) coordinator.nodes.tag(node.id, [`tag:t${value}`], world.now)
        break
      case 'approve routes':
        if (node)
          coordinator.nodes.approveRoutes(node.id, value > 1 ? ['10.0.0.0/8', '0.0.0.0/0'] : [], world.now)
        break
      case 'expire':
        if (node) coordinator.nodes.expire(node.id, world.now, world.wall + value * 5000)
        break
      case 'extend':
        if (node) coordinator.nodes.expire(node.id, world.now, 'never')
        break
      case 'delete':
        if (node) coordinator.nodes.delete(node.id, world.now)
        break
      case 'rename the user':
        coordinator.accounts.renameUser('1', { name: 'ann', displayName: `Ann ${value}` }, world.now)
        break
      case 'write a policy':
        coordinator.policies.set(POLICIES[(value * MACHINES + who) % POLICIES.length] as string, world.now)
        break
      case 'wait a moment':
        for (const each of this.worlds) each.advance(BATCH_INTERVAL / 2)
        break
      case 'wait for the grace':
        for (const each of this.worlds) each.advance(OFFLINE_GRACE)
        break
    }
    world.collect()
  }

  /** Returns what every open stream adds up to, and beside it what a new one at either server would begin with. */
  pairs(): [known: unknown, fresh: unknown][] {
    this.settle()
    const pairs: [unknown, unknown][] = []
    for (const { world, who, nodeKey, exchange } of this.listeners) {
      if (world.said(exchange).some(({ kind }) => kind === 'end' || kind === 'refuse')) continue
      const known = essence(play(world.mapsOf(exchange), world.wall))
      for (const other of this.worlds) {
        const fresh = this.#at(who, other).map({ NodeKey: nodeKey })
        pairs.push([known, essence(play(other.mapsOf(fresh), other.wall))])
      }
    }
    return pairs
  }

  #last = 0

  #fresh(): number {
    return (this.#last += 1)
  }

  /** The same machine, talking to another server. */
  #at(who: number, world: World): MachineFake {
    const machine = this.machines[who] as MachineFake
    if (machine.world === world) return machine
    const moved = world.machine(who + 1)
    moved.nodeKey = machine.nodeKey
    moved.discoKey = machine.discoKey
    this.machines[who] = moved
    return moved
  }
}

/** Applies responses as a client does. */
function play(responses: readonly MapResponse[], wallNow: number): NetworkMap {
  let map: NetworkMap | undefined
  for (const response of responses) {
    const decoded = decodeMapResponse(JSON.parse(JSON.stringify(response)))
    if (!decoded) throw new Error('a response that no client reads')
    map = applyMapResponse(map, decoded, { wallNow })?.map
  }
  if (!map) throw new Error('no map')
  return map
}

/** A map without the traces of how it came about: when an online peer was last seen, who left, when the server spoke. */
function essence(map: NetworkMap): unknown {
  const peers = map.peers.map(({ source, ...peer }): unknown => {
    const { LastSeen: _lastSeen, KeyExpiry: _keyExpiry, ...rest } = source
    return { ...peer, lastSeen: peer.online ? undefined : peer.lastSeen, source: rest }
  })
  const { clockOffset: _, userProfiles, ...rest } = map
  const owners = new Set([map.self, ...map.peers].map(({ user }) => user))
  const profiles = [...userProfiles].filter(([id]) => owners.has(id)).toSorted(([a], [b]) => a - b)
  return { ...rest, peers, profiles }
}

test('control 33, 36, 37: applying the deltas of a stream always equals the map of a new one, at every server', () => {
  let compared = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
      const scene = new Play()
      for (const [i, each] of steps.entries()) {
        scene.do(each)
        const atRest = i % 8 === 7 || i === steps.length - 1
        for (const [known, fresh] of atRest ? scene.pairs() : []) {
          expect(known).toEqual(fresh)
          compared += 1
        }
      }
    }),
    { numRuns: 150 },
  )
  expect(compared).toBeGreaterThan(500)
})
