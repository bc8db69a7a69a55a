// The wall clock is set while the server runs: by a person, or by NTP some time after a start with a wrong one. Intervals go
// on as they were; what is bound to a date follows the clock, in both directions.

import { expect, test } from 'vitest'
import { LOGIN_LIFETIME } from '../src/waiting-logins.ts'
import { KEEP_ALIVE_INTERVAL, KEEP_ALIVE_JITTER } from '../src/coordinator-limits.ts'
import { OFFLINE_GRACE } from '../src/presence.ts'
import { EPOCH, joined, World } from './support.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const YEAR = 365 * 24 * HOUR

/** Whether a peer is expired, as a stream's messages say so far. */
function isPeerExpired(world: World, stream: number, id: number): boolean {
  const told = world
    .mapsOf(stream)
    .flatMap(({ Peers = [], PeersChanged = [], PeersChangedPatch = [] }) => [
      ...[...Peers, ...PeersChanged].filter(({ ID }) => ID === id).map(({ Expired }) => Expired === true),
      ...PeersChangedPatch.filter(({ NodeID, KeyExpiry }) => NodeID === id && KeyExpiry !== undefined).map(
        ({ KeyExpiry = '' }) => Date.parse(KeyExpiry) <= world.wall,
      ),
    ])
  return told.at(-1) ?? false
}

test.each([-HOUR, -YEAR, YEAR])(
  'control 30, 35: a step of %i ms shifts no keep-alive and no grace, and ends no stream',
  (step) => {
    const world = new World()
    const watcher = joined(world, 1).stream()
    const other = joined(world, 2)
    const stream = other.stream()
    world.advance(10_000)
    world.wallSet += step
    const before = world.mapsOf(watcher).length
    const longest = KEEP_ALIVE_INTERVAL + KEEP_ALIVE_JITTER + 1000
    for (let i = 1; i <= 5; i += 1) {
      world.advance(longest)
      const alive = world
        .mapsOf(watcher)
        .slice(before)
        .filter(({ KeepAlive }) => KeepAlive)
      expect(alive.length).toBeGreaterThanOrEqual(i - 1)
    }
    expect(world.said(watcher).some(({ kind }) => kind === 'end')).toBe(false)
    other.gone(stream)
    world.wallSet -= step
    world.advance(OFFLINE_GRACE - 1000)
    expect(world.coordinator.nodes.status(2).online).toBe(true)
    world.advance(2000)
    expect(world.coordinator.nodes.status(2).online).toBe(false)
  },
)

test('a login that a clock of next year ended is good again as soon as the clock is right', () => {
  const world = new World({ nodeKeyLifetime: 30 * 24 * HOUR })
  const watcher = joined(world, 1).stream()
  const own = joined(world, 2).stream()
  world.advance(MINUTE)
  world.wallSet = YEAR
  world.advance(2 * MINUTE)
  expect(isPeerExpired(world, watcher, 2)).toBe(false)
  // To itself each is expired, and so sees nobody.
  expect(world.mapsOf(own).findLast(({ Node }) => Node)).toMatchObject({ Node: { Expired: true } })
  world.wallSet = 0
  world.advance(2 * MINUTE)
  expect(world.mapsOf(own).findLast(({ Node }) => Node)?.Node).not.toHaveProperty('Expired')
  expect(world.mapsOf(own).findLast(({ PeersChanged }) => PeersChanged)).toMatchObject({
    PeersChanged: [{ ID: 1 }],
  })
  expect(isPeerExpired(world, watcher, 2)).toBe(false)
  expect(world.coordinator.nodes.admits(`nodekey:${(2000).toString(16).padStart(64, '0')}`)).toBe(true)
})

test('a peer hears within two minutes that another has expired by the clock that was set, and that it has not', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  joined(world, 2)
  world.coordinator.nodes.expire(2, world.now, world.wall + 24 * HOUR)
  world.advance(MINUTE)
  for (const [set, expired] of [
    [YEAR, true],
    [0, false],
    [2 * YEAR, true],
    [-YEAR, false],
  ] as const) {
    world.wallSet = set
    world.advance(2 * MINUTE)
    expect([set, isPeerExpired(world, watcher, 2)]).toEqual([set, expired])
  }
})

test('a server that starts in 1970 forgets and expires nothing, and goes by the date once it knows it', () => {
  const before = new World({ nodeKeyLifetime: HOUR })
  joined(before, 1)
  joined(before, 2)
  before.coordinator.nodes.expire(2, before.now, before.wall + YEAR)
  const { AuthURL } = before.machine(3).login()
  const world = new World({ store: before.store, nodeKeyLifetime: HOUR, wallSet: -EPOCH })
  const stream = world.machine(2).stream()
  expect(world.mapsOf(stream)[0]?.Peers?.map(({ ID }) => ID)).toEqual([1])
  const held = world.machine(3).register({ Followup: AuthURL })
  world.advance(MINUTE)
  world.wallSet = 2 * HOUR
  world.advance(2 * MINUTE)
  expect(isPeerExpired(world, stream, 1)).toBe(true)
  expect(Date.parse(world.mapsOf(world.machine(2).map())[0]?.ControlTime ?? '')).toBe(world.wall)
  world.coordinator.logins.approve(AuthURL.split('/').at(-1) ?? '', 'ann', world.now)
  expect(world.said(held)).toMatchObject([{ response: { MachineAuthorized: true } }])
})

test.each([-HOUR, -YEAR, YEAR])(
  'control 17, 18: a login waits its time whatever is done to the clock (%i ms), and then has a new page',
  (step) => {
    const world = new World()
    const machine = world.machine(1)
    const { AuthURL } = machine.login()
    const held = machine.register({ Followup: AuthURL })
    world.advance(MINUTE)
    world.wallSet = step
    world.advance(LOGIN_LIFETIME - 2 * MINUTE)
    expect(world.said(held)).toEqual([])
    world.advance(2 * MINUTE)
    const [answer] = world.said(held)
    expect(answer).toMatchObject({ response: { Error: '', MachineAuthorized: false } })
    const page = answer?.kind === 'register-response' ? answer.response.AuthURL : ''
    expect(page).toMatch(/\/register\/[0-9a-f]{32}$/)
    expect(page).not.toBe(AuthURL)
  },
)

test('an auth key ends on its date, not before and not after, whichever way the clock came there', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann', reusable: true, lifetime: HOUR })
  world.wallSet = YEAR
  expect(world.machine(1).login(key).Error).toBe('authkey expired')
  world.wallSet = -HOUR
  world.advance(90 * MINUTE)
  expect(world.machine(2).login(key).Error).toBe('')
  world.wallSet = 0
  expect(world.machine(3).login(key).Error).toBe('authkey expired')
})

test('threat 9: an ephemeral node stays away as long as it may, whatever is done to the clock', () => {
  const world = new World({ ephemeralTimeout: HOUR })
  world.user('ann')
  world.machine(1).login(world.key({ user: 'ann', ephemeral: true }))
  for (const step of [YEAR, -YEAR, -HOUR]) {
    world.wallSet = step
    world.advance(15 * MINUTE)
    expect(world.coordinator.nodes.all()).toHaveLength(1)
  }
  world.advance(16 * MINUTE)
  expect(world.coordinator.nodes.all()).toEqual([])
})

test('no audit entry is dropped for its age by a clock that was just set, or has just begun', async () => {
  const first = new World()
  first.user('ann')
  const { store } = first
  const ahead = new World({ store, wallSet: YEAR })
  let users = 0
  const note = async (world: World): Promise<number> => {
    world.user(`user-${(users += 1)}`)
    return (await world.store.audit({ limit: 99 })).length
  }
  expect(await note(ahead)).toBe(2)
  ahead.advance(5 * MINUTE)
  expect(await note(ahead)).toBe(3)
  ahead.wallSet = 0
  ahead.advance(15 * MINUTE)
  expect(await note(ahead)).toBe(4)
  ahead.wallSet = YEAR
  expect(await note(ahead)).toBe(5)
  ahead.advance(5 * MINUTE)
  expect(await note(ahead)).toBe(6)
  // A clock that went on evenly since is believed.
  ahead.advance(15 * MINUTE)
  expect(await note(ahead)).toBeLessThan(6)
})
