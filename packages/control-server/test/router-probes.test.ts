// Routers that could stand in for each other are asked whether they still answer (control §7.7).
import { expect, test } from 'vitest'
import { MemoryStore, PING_TIMEOUT, PROBE_INTERVAL } from '../src/index.ts'
import { joined, type MachineFake, World } from './support.ts'

const SUBNET = '10.1.0.0/16'

/** A router with a stream, which answers what it is asked until it is told to be silent. */
class RouterFake {
  readonly #world: World
  readonly #machine: MachineFake
  readonly #stream: number
  #heard = 0
  answers = true
  asked = 0

  constructor(world: World, number: number, route = SUBNET) {
    this.#world = world
    this.#machine = joined(world, number)
    this.#machine.tell({ Hostinfo: { Hostname: `box-${number}`, RoutableIPs: [route] } })
    world.coordinator.nodes.approveRoutes(number, [route], world.now)
    this.#stream = this.#machine.stream()
  }

  /** Answers what it was asked since the last time, if it does. */
  listen(): void {
    const maps = this.#world.mapsOf(this.#stream)
    for (const { PingRequest } of maps.slice(this.#heard)) {
      if (!PingRequest) continue
      this.asked += 1
      const id = PingRequest.URL.split('/').at(-1) ?? ''
      const { machineKey } = this.#machine
      if (this.answers) this.#world.coordinator.questions.handlePong(id, 'c2n', machineKey, this.#world.now)
    }
    this.#heard = maps.length
  }
}

/** Lets time go by, in which routers hear and answer. */
function pass(world: World, routers: readonly RouterFake[], time: number): void {
  for (let gone = 0; gone < time; gone += 250) {
    world.advance(250)
    for (const router of routers) router.listen()
  }
}

const primaryOf = (world: World): number | undefined =>
  world.coordinator.nodes.all().find(({ node }) => node.primaryRoutes.includes(SUBNET))?.node.id

test('control 46: another router takes over within 20 s from one that is connected but silent, and keeps the route', () => {
  const world = new World()
  const routers = [new RouterFake(world, 1), new RouterFake(world, 2)]
  pass(world, routers, 2 * PROBE_INTERVAL)
  expect(primaryOf(world)).toBe(1)
  routers[0]!.answers = false
  pass(world, routers, 20_000)
  expect(primaryOf(world)).toBe(2)
  expect(world.coordinator.nodes.status(1).online).toBe(true)
  routers[0]!.answers = true
  pass(world, routers, 3 * PROBE_INTERVAL)
  expect([primaryOf(world), world.coordinator.nodes.status(1).node.silent]).toEqual([2, false])
  routers[1]!.answers = false
  pass(world, routers, 20_000)
  expect(primaryOf(world)).toBe(1)
})

test('one lost answer is no silence', () => {
  const world = new World()
  const routers = [new RouterFake(world, 1), new RouterFake(world, 2)]
  pass(world, routers, 2 * PROBE_INTERVAL)
  const before = routers[0]!.asked
  routers[0]!.answers = false
  while (routers[0]!.asked === before) pass(world, routers, 250)
  pass(world, routers, PING_TIMEOUT - 500)
  routers[0]!.answers = true
  pass(world, routers, 4 * PROBE_INTERVAL)
  expect([primaryOf(world), world.coordinator.nodes.status(1).node.silent ?? false]).toEqual([1, false])
})

test('nobody is asked for a route that they alone have, nor judged who never answered', () => {
  const world = new World()
  const alone = [new RouterFake(world, 1), new RouterFake(world, 2, '10.2.0.0/16')]
  pass(world, alone, 4 * PROBE_INTERVAL)
  expect(alone.map(({ asked }) => asked)).toEqual([0, 0])
  const mute = new RouterFake(world, 3)
  mute.answers = false
  alone[0]!.answers = false
  pass(world, [...alone, mute], 8 * PROBE_INTERVAL)
  expect(alone[0]!.asked).toBeGreaterThan(2)
  expect(primaryOf(world)).toBe(1)
})

test('when all are silent the primary stays, and a new connection is a sign of life', () => {
  const world = new World()
  const routers = [new RouterFake(world, 1), new RouterFake(world, 2)]
  pass(world, routers, 2 * PROBE_INTERVAL)
  for (const router of routers) router.answers = false
  pass(world, routers, 30_000)
  expect(world.coordinator.nodes.all().map(({ node }) => node.silent)).toEqual([true, true])
  const [first] = [primaryOf(world)]
  world.machine(first === 1 ? 2 : 1).stream()
  world.advance(500)
  expect(primaryOf(world)).toBe(first === 1 ? 2 : 1)
})

test('what could not be stored is found again, and questions that were not sent blame nobody', () => {
  const world = new World()
  const routers = [new RouterFake(world, 1), new RouterFake(world, 2)]
  pass(world, routers, 2 * PROBE_INTERVAL)
  routers[0]!.answers = false
  pass(world, routers, 20_000)
  expect(world.coordinator.nodes.status(1).node.silent).toBe(true)
  const { coordinator } = world
  coordinator.nodes.rename(1, 'laptop', world.now)
  coordinator.undo(world.now)
  pass(world, routers, PROBE_INTERVAL)
  expect([primaryOf(world), coordinator.nodes.status(1).node.silent]).toEqual([2, true])
  routers[0]!.answers = true
  pass(world, routers, 3 * PROBE_INTERVAL)
  expect(coordinator.nodes.status(1).node.silent).toBe(false)
})

test('every server of a network goes by what the one found that a router is connected to', () => {
  const store = new MemoryStore()
  const servers = ['here', 'there']
  const here = new World({ store, servers })
  const routers = [new RouterFake(here, 1), new RouterFake(here, 2)]
  const there = new World({ store, servers, server: 'there' })
  pass(here, routers, 2 * PROBE_INTERVAL)
  routers[0]!.answers = false
  pass(here, routers, 20_000)
  there.advance(0)
  there.catchUp()
  expect([primaryOf(here), primaryOf(there)]).toEqual([2, 2])
})
