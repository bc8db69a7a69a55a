import { expect, test } from 'vitest'
import { BATCH_INTERVAL, ControlError, EXPIRY_WARNING } from '../src/index.ts'
import { joined, World } from './support.ts'

const HOUR = 3_600_000

test('a person hears once that their login ends within a day, and no more once it is extended', () => {
  const world = new World()
  const stream = joined(world, 1).stream()
  const end = world.wall + EXPIRY_WARNING + 2 * HOUR
  world.coordinator.nodes.expire(1, world.now, end)
  world.advance(HOUR)
  expect(world.mapsOf(stream).filter(({ DisplayMessages }) => DisplayMessages)).toEqual([])
  world.advance(1.5 * HOUR)
  const told = world.mapsOf(stream).filter(({ DisplayMessages }) => DisplayMessages)
  expect(told).toMatchObject([{ DisplayMessages: { 'mesh-login-ends': { Severity: 'medium' } } }])
  const text = told[0]?.DisplayMessages?.['mesh-login-ends']?.Text
  expect(text).toContain(new Date(end).toISOString().slice(0, 16).replace('T', ' '))
  world.coordinator.nodes.expire(1, world.now, 'never')
  world.advance(BATCH_INTERVAL)
  expect(world.mapsOf(stream).at(-1)).toMatchObject({ DisplayMessages: { 'mesh-login-ends': null } })
})

test('a machine that offers routes hears that somebody must approve them, until somebody does', () => {
  const world = new World()
  const machine = joined(world, 1)
  const stream = machine.stream()
  const Hostinfo = { Hostname: 'box-1', RoutableIPs: ['10.0.0.0/8', '0.0.0.0/0', '::/0'] }
  machine.tell({ Hostinfo })
  world.advance(BATCH_INTERVAL)
  const { DisplayMessages } = world.mapsOf(stream).at(-1) ?? {}
  expect(DisplayMessages?.['mesh-routes-wait']?.Text).toContain('10.0.0.0/8, being an exit node;')
  const [snapshot] = world.mapsOf(machine.stream())
  expect(snapshot?.DisplayMessages).toEqual(DisplayMessages)
  world.coordinator.nodes.approveRoutes(1, ['10.0.0.0/8', '0.0.0.0/0'], world.now)
  world.advance(BATCH_INTERVAL)
  expect(world.mapsOf(stream).at(-1)?.DisplayMessages).toEqual({ 'mesh-routes-wait': null })
})

test('a client is told of a newer version of it, the newest that it is that, and ours nothing', () => {
  const world = new World({ clientRelease: { version: '1.98.2', urgent: true } })
  const told = (IPNVersion: string, number: number): unknown => {
    const machine = joined(world, number)
    machine.tell({ Hostinfo: { IPNVersion, OS: 'linux' } })
    const stream = machine.stream()
    world.advance(2000)
    return world.mapsOf(stream)[0]?.ClientVersion
  }
  expect(told('1.98.2-t1a2b3c', 1)).toEqual({ RunningLatest: true })
  expect(told('1.99.0', 2)).toEqual({ RunningLatest: true })
  expect(told('1.9.10-t1a2b3c', 3)).toMatchObject({ LatestVersion: '1.98.2', UrgentSecurityUpdate: true })
  expect(told('0.1.0-mesh', 4)).toBeUndefined()
  expect(told('nonsense', 5)).toBeUndefined()
})

test('clients learn by which addresses the server is reached, the best first', () => {
  const world = new World({ dialAddresses: ['192.0.2.1', '2001:db8::1'] })
  const [snapshot] = world.mapsOf(joined(world, 1).stream())
  const Candidates = snapshot?.ControlDialPlan?.Candidates ?? []
  expect(Candidates.map(({ IP }) => IP)).toEqual(['192.0.2.1', '2001:db8::1'])
  expect(Candidates[0]?.Priority).toBeGreaterThan(Candidates[1]?.Priority ?? 0)
  expect(() => new World({ dialAddresses: ['control.example'] })).toThrow(ControlError)
  expect(() => new World({ clientRelease: { version: 'new' } })).toThrow('written as 1.98.2')
})
