import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressesOf, nextAddresses, parseRange } from '../src/addresses.ts'
import { NOTHING } from '../src/state.ts'
import { joined, World } from './support.ts'

const addresses = (world: World): string[] => world.coordinator.nodes.all().map(({ node }) => node.ipv4)

describe('a range', () => {
  test('lies within 100.64.0.0/10, or is none', () => {
    expect(parseRange('100.64.0.0/10')).toEqual({ first: 0, size: 2 ** 22 })
    expect(parseRange('100.64.1.0/24')).toEqual({ first: 256, size: 256 })
    for (const text of [
      '',
      '100.64.0.0',
      '10.0.0.0/8',
      '100.0.0.0/9',
      '100.128.0.0/24',
      'fd7a:115c:a1e0::/48',
    ])
      expect([text, parseRange(text)]).toEqual([text, undefined])
    expect(() => new World({ ipv4Range: '10.0.0.0/8' })).toThrow(
      '"10.0.0.0/8" is no range within 100.64.0.0/10.',
    )
  })

  test.each(['sequential', 'random'] as const)(
    'gives each of its addresses once, and then says that there is none (%s)',
    (addressOrder) => {
      const world = new World({ ipv4Range: '100.64.7.0/28', addressOrder })
      for (let i = 1; i <= 15; i += 1) joined(world, i)
      expect(new Set(addresses(world)).size).toBe(15)
      expect(addresses(world).every((each) => /^100\.64\.7\.([1-9]|1[0-5])$/.test(each))).toBe(true)
      expect(() => joined(world, 16)).toThrow('Every address of the range is taken or reserved.')
    },
  )

  test('is gone through in order from where it begins, or drawn from anywhere', () => {
    const first = (options: ConstructorParameters<typeof World>[0]): string[] => {
      const world = new World(options)
      for (let i = 1; i <= 3; i += 1) joined(world, i)
      return addresses(world)
    }
    expect(first({ ipv4Range: '100.65.0.0/16' })).toEqual(['100.65.0.1', '100.65.0.2', '100.65.0.3'])
    const drawn = first({ addressOrder: 'random' })
    expect(new Set(drawn.map((each) => each.split('.').slice(0, 3).join('.'))).size).toBe(3)
  })
})

test('an address of either family is one of a pair; one that no node could have is none', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 22 - 1), (last) => {
      const pair = nextAddresses(last, () => false)
      expect(addressesOf(pair?.ipv4 ?? '')).toEqual(pair)
      expect(addressesOf(pair?.ipv6 ?? '')).toEqual(pair)
    }),
  )
  for (const text of [
    '',
    'x',
    '100.64.0.0',
    '100.64.0.255',
    '100.100.100.100',
    '10.0.0.1',
    '100.128.0.1',
    'fd7a:115c:a1e0::1:40:1',
    'fd7a:115c:a1e1::40:1',
    '::1',
  ])
    expect([text, addressesOf(text)]).toEqual([text, undefined])
})

describe('a chosen address', () => {
  test('is given as a machine is let in, with a name, or refused before anything happens', () => {
    const world = new World()
    joined(world, 1)
    const machine = world.machine(2)
    const { AuthURL } = machine.login()
    const held = machine.register({ Followup: AuthURL })
    const approve = (choice: { name?: string; address?: string }): unknown =>
      world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now, choice)
    expect(() => approve({ address: '100.64.0.1' })).toThrow('100.64.0.1 is that of node box-1.')
    expect(() => approve({ address: '10.0.0.1' })).toThrow('"10.0.0.1" is no address that a node can have')
    expect(() => approve({ name: 'box-1' })).toThrow('Another node is named box-1 already.')
    expect(world.said(held)).toEqual([])
    approve({ name: 'nas', address: 'fd7a:115c:a1e0::40:909' })
    expect(world.coordinator.nodes.all()[1]?.node).toMatchObject({
      givenName: 'nas',
      ipv4: '100.64.9.9',
      ipv6: 'fd7a:115c:a1e0::40:909',
    })
  })

  test('takes the place of the one before, and every peer hears of it', () => {
    const world = new World()
    const [one] = [joined(world, 1), joined(world, 2)]
    const stream = one.stream()
    world.advance(1000)
    world.coordinator.nodes.readdress(2, '100.64.9.9', world.now)
    world.advance(1000)
    expect(JSON.stringify(world.mapsOf(stream).at(-1)?.PeersChanged)).toContain('100.64.9.9/32')
    expect(() => world.coordinator.nodes.readdress(1, '100.64.9.9', world.now)).toThrow(
      'is that of node box-2',
    )
    world.coordinator.nodes.readdress(1, '100.64.0.2', world.now)
    expect(addresses(world)).toEqual(['100.64.0.2', '100.64.9.9'])
  })
})

describe('a reserved address', () => {
  test('waits for a node by its name or its key, and nobody else is given it', () => {
    const world = new World()
    const { reservations } = world.coordinator
    expect(reservations.add('box-3')).toMatchObject({ ipv4: '100.64.0.1', ipv6: 'fd7a:115c:a1e0::40:1' })
    reservations.add(world.machine(2).machineKey, '100.64.0.3')
    reservations.add(world.machine(4).nodeKey, '100.64.0.9')
    for (let i = 1; i <= 5; i += 1) joined(world, i)
    expect(addresses(world)).toEqual(['100.64.0.2', '100.64.0.3', '100.64.0.1', '100.64.0.9', '100.64.0.4'])
    expect(() => world.coordinator.nodes.readdress(1, '100.64.0.3', world.now)).toThrow(
      'is that of node box-2',
    )
  })

  test('is kept while its node is away, and is that of one node only', () => {
    const world = new World()
    const { coordinator } = world
    coordinator.reservations.add('box-1', '100.64.0.7')
    joined(world, 1)
    coordinator.nodes.delete(1, world.now)
    expect(() => coordinator.reservations.add('other', '100.64.0.7')).toThrow(
      '100.64.0.7 is reserved for box-1: release it first.',
    )
    joined(world, 1)
    world.machine(9).login(world.key({ user: 'ann' }), { Hostinfo: { Hostname: 'box-1' } })
    expect(coordinator.nodes.all().map(({ node }) => [node.givenName, node.ipv4])).toEqual([
      ['box-1', '100.64.0.7'],
      ['box-1-1', '100.64.0.1'],
    ])
  })

  test('can be what a node has already, and is lifted without taking it away', () => {
    const world = new World()
    joined(world, 1)
    const { reservations } = world.coordinator
    expect(() => reservations.add('other', '100.64.0.1')).toThrow('100.64.0.1 is that of node box-1.')
    reservations.add('box-1', '100.64.0.1')
    expect(() => reservations.add('box-1')).toThrow('100.64.0.1 is reserved for box-1 already.')
    expect(() => reservations.remove('nobody')).toThrow('Nothing is reserved for or at "nobody".')
    expect(reservations.remove('fd7a:115c:a1e0::40:1').holder).toBe('box-1')
    expect([addresses(world), reservations.all()]).toEqual([['100.64.0.1'], []])
    for (const odd of ['', 'Box', '__proto__', 'mkey:1', 'a\nb', 'x'.repeat(300)])
      expect(() => reservations.add(odd)).toThrow("is no node's name and no key")
  })
})

test('two nodes whose addresses moved on at another server are both known by the new ones, in whatever order that is heard', () => {
  const world = new World()
  for (let i = 1; i <= 2; i += 1) joined(world, i)
  const { store } = world
  const [one, two] = [...(store.read(0).changes.nodes?.values() ?? [])]
  if (!one || !two) throw new Error('two nodes joined')
  const moved = new Map([
    [2, { ...two, ipv4: one.ipv4, ipv6: one.ipv6, givenName: one.givenName }],
    [1, { ...one, ipv4: '100.64.5.5', ipv6: 'fd7a:115c:a1e0::40:505', givenName: 'moved' }],
  ])
  store.write({ changes: { nodes: moved }, counters: { ...NOTHING.counters, ...store.read(0).counters } })
  world.catchUp()
  expect(() => world.coordinator.nodes.readdress(1, one.ipv4, world.now)).toThrow('is that of node')
  expect(() => world.coordinator.nodes.rename(1, one.givenName, world.now)).toThrow('Another node is named')
})
