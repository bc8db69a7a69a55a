import { expect, test } from 'vitest'
import { CHALLENGE_LIFETIME, ControlError } from '../src/index.ts'
import { updateAttributes } from '../src/device-attributes.ts'
import { joined, World } from './support.ts'

/** What an authority gives, told apart by its beginning. */
const text = (name: string): string => name.padEnd(43, '_')
const NAME = '_acme-challenge.box-1.mesh.internal'

function world(): World {
  const made = new World({ certificates: true })
  joined(made, 1)
  joined(made, 2)
  return made
}

test('a text of a node is there for ten minutes, at its own name, beside the one before', () => {
  const { coordinator } = world()
  const at = (): readonly string[] => coordinator.challenges.textsAt(NAME)
  expect(coordinator.reports.publishChallenge(1, `${NAME.toUpperCase()}.`, text('one'))).toEqual({
    name: NAME,
    value: text('one'),
  })
  coordinator.reports.publishChallenge(1, NAME, text('two'))
  coordinator.reports.publishChallenge(1, NAME, text('one'))
  expect(at().toSorted()).toEqual(['one', 'two'].map(text))
  expect(coordinator.challenges.textsAt('_acme-challenge.box-2.mesh.internal')).toEqual([])
  for (let i = 0; i < 9; i += 1) coordinator.reports.publishChallenge(1, NAME, text(`v${i}`))
  expect(at()).toEqual(['v5', 'v6', 'v7', 'v8'].map(text))
})

test('a text is over after its time, and when its node is gone or has another name', () => {
  const made = world()
  const { coordinator } = made
  coordinator.reports.publishChallenge(1, NAME, text('one'))
  made.advance(CHALLENGE_LIFETIME + 1)
  expect(coordinator.challenges.textsAt(NAME)).toEqual([])
  coordinator.reports.publishChallenge(1, NAME, text('two'))
  coordinator.nodes.rename(1, 'laptop', made.now)
  expect(coordinator.challenges.textsAt(NAME)).toEqual([])
  coordinator.reports.publishChallenge(1, '_acme-challenge.laptop.mesh.internal', text('three'))
  coordinator.nodes.delete(1, made.now)
  expect(coordinator.challenges.textsAt('_acme-challenge.laptop.mesh.internal')).toEqual([])
})

test('invariant 1: no node publishes at the name of another, nor what is no text', () => {
  const { coordinator } = world()
  for (const [name, value] of [
    ['_acme-challenge.box-2.mesh.internal', text('x')],
    ['_acme-challenge.mesh.internal', text('x')],
    ['box-1.mesh.internal', text('x')],
    [NAME, ''],
    [NAME, text('a b')],
    [NAME, 'x'.repeat(42)],
    [NAME, 'x'.repeat(44)],
  ] as const)
    expect(() => coordinator.reports.publishChallenge(1, name, value)).toThrow(ControlError)
  expect(coordinator.challenges.textsAt(NAME)).toEqual([])
})

test('threat 15: no machine takes the name of an administrator’s record by calling itself so', () => {
  const extraRecords = [{ Name: 'box-1.mesh.internal', Type: 'A', Value: '192.0.2.1' }]
  const made = new World({ certificates: true, extraRecords })
  const machine = joined(made, 1)
  const nameOf = (): string | undefined => made.coordinator.nodes.all()[0]?.node.givenName
  expect(nameOf()).toBe('box-1-1')
  expect(() => made.coordinator.reports.publishChallenge(1, NAME, text('x'))).toThrow(ControlError)
  machine.tell({ Hostinfo: { Hostname: 'box' } })
  expect(nameOf()).toBe('box')
  machine.tell({ Hostinfo: { Hostname: 'box-1' } })
  expect(nameOf()).toBe('box-1-1')
  expect(() => made.coordinator.nodes.rename(1, 'box-1', made.now)).toThrow(
    'A record of the DNS is named box-1.',
  )
})

test('every server of a network gives the texts that any of them took', () => {
  const one = world()
  const two = new World({ store: one.store, certificates: true, server: 'there' })
  one.coordinator.reports.publishChallenge(1, NAME, text('one'))
  one.collect()
  two.catchUp()
  expect(two.coordinator.challenges.textsAt(NAME)).toEqual([text('one')])
})

test('a client hears for which name it may have a certificate, and of a new name; without certificates of none', () => {
  const made = world()
  const stream = made.machine(1).stream()
  made.advance(1000)
  const [first] = made.mapsOf(stream)
  expect(first?.DNSConfig?.CertDomains).toEqual(['box-1.mesh.internal'])
  expect(first?.Node?.CapMap).toMatchObject({ https: [] })
  made.coordinator.nodes.rename(1, 'laptop', made.now)
  made.advance(1000)
  expect(made.mapsOf(stream).at(-1)?.DNSConfig?.CertDomains).toEqual(['laptop.mesh.internal'])
  const without = new World()
  const [plain] = without.mapsOf(joined(without, 1).stream())
  expect(plain?.DNSConfig).not.toHaveProperty('CertDomains')
  expect(plain?.Node?.CapMap).not.toHaveProperty('https')
})

test('device attributes are set, changed and taken away, all of an update or nothing', () => {
  const before = updateAttributes({}, { 'custom:a': 1, 'custom:b': 'x', 'custom:c': true })
  expect(updateAttributes(before, { 'custom:a': null, 'custom:b': 'y' })).toEqual({
    'custom:b': 'y',
    'custom:c': true,
  })
  for (const bad of [
    null,
    [],
    { a: 1 },
    { 'custom:': 1 },
    { 'custom:__proto__': {} },
    { 'custom:a': 0.5 },
    { 'custom:a': 'x'.repeat(256) },
    { 'custom:a': '\u001b[2J' },
    Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`custom:a${i}`, 1])),
  ])
    expect(() => updateAttributes(before, bad)).toThrow(ControlError)
})
