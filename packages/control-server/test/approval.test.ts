import { expect, test } from 'vitest'
import { joined, World } from './support.ts'

test('a node that waits for approval sees nobody, is seen by nobody, and joins as soon as it is approved', () => {
  const world = new World({ nodeApproval: true })
  const { coordinator } = world
  const first = joined(world, 1)
  coordinator.nodes.approve(1, world.now)
  const other = first.stream()
  const machine = world.machine(2)
  expect(machine.login(world.key({ user: 'ann' }))).toMatchObject({
    MachineAuthorized: false,
    Error: '',
    AuthURL: '',
  })
  const stream = machine.stream()
  world.advance(2000)
  const [map] = world.mapsOf(stream)
  expect(map).toMatchObject({ Node: { MachineAuthorized: false }, Peers: [], PacketFilters: { base: [] } })
  expect(JSON.stringify(world.mapsOf(other))).not.toContain(machine.nodeKey)
  expect(coordinator.nodes.admits(machine.nodeKey)).toBe(false)
  expect(coordinator.nodes.all()[1]?.node.approved).toBe(false)
  coordinator.nodes.approve(2, world.now)
  world.advance(2000)
  expect(world.mapsOf(stream).at(-1)).toMatchObject({
    Node: { MachineAuthorized: true },
    PeersChanged: [{ Key: first.nodeKey }],
  })
  expect(JSON.stringify(world.mapsOf(other))).toContain(machine.nodeKey)
  expect(coordinator.nodes.admits(machine.nodeKey)).toBe(true)
})

test('a node needs no approval that a person let in, whose key is pre-approved, or that had it before', () => {
  const world = new World({ nodeApproval: true })
  const { coordinator } = world
  world.user('ann')
  expect(world.machine(1).login(world.key({ user: 'ann', preApproved: true })).MachineAuthorized).toBe(true)
  const { AuthURL } = world.machine(2).login()
  coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  const third = world.machine(3)
  third.login(world.key({ user: 'ann' }))
  coordinator.nodes.approve(3, world.now)
  third.nodeKey = world.machine(33).nodeKey
  expect(third.login(world.key({ user: 'ann' })).MachineAuthorized).toBe(true)
  expect(coordinator.nodes.all().map(({ node }) => node.approved)).toEqual([true, true, true])
})

test('whoever waits for a login hears that it was refused, at every server, and may ask anew', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const key = AuthURL.slice(-32)
  const elsewhere = new World({ store: world.store, server: 'there' })
  const there = elsewhere.machine(1).register({ Followup: AuthURL })
  const held = machine.register({ Followup: AuthURL })
  expect(world.coordinator.logins.all()).toMatchObject([{ key }])
  world.coordinator.logins.refuse(key, world.now)
  world.collect()
  elsewhere.catchUp()
  const no = { response: { Error: 'an administrator refused this login', AuthURL: '' } }
  expect([world.said(held), elsewhere.said(there)]).toMatchObject([[no], [no]])
  expect(world.said(machine.register({ Followup: AuthURL }))).toMatchObject([no])
  expect(world.coordinator.logins.all()).toEqual([])
  for (const act of ['approve', 'refuseLogin'] as const)
    expect(() =>
      act === 'approve'
        ? world.coordinator.logins.approve(key, 'ann', world.now)
        : world.coordinator.logins.refuse(key, world.now),
    ).toThrow('No login waits under')
  const again = machine.login().AuthURL
  expect(again).toMatch(/\/register\/[0-9a-f]{32}$/)
  expect(again).not.toBe(AuthURL)
})
