import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextAddresses } from '../src/addresses.ts'
import { Deadlines } from '../src/deadlines.ts'
import { isDomainName, isNameOf, sanitizeHostname, uniqueName } from '../src/names.ts'

test.each([
  ['box', 'box'],
  ["Ann's MacBook Pro", 'anns-macbook-pro'],
  ['server.example.com', 'server-example-com'],
  ['mac.local', 'mac'],
  ['Büro', 'buro'],
  ['日本', 'node'],
  ['', 'node'],
  ['--a__b--', 'a-b'],
])('%j becomes %s', (hostname, label) => {
  expect(sanitizeHostname(hostname)).toBe(label)
})

test('threat 15: whatever a machine calls itself, its name is one DNS label', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (hostname) => {
      const label = sanitizeHostname(hostname)
      expect(label).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/)
      expect(label.length).toBeLessThanOrEqual(55)
      expect(isDomainName(`${label}.mesh.internal`)).toBe(true)
    }),
  )
})

test('equal names are told apart by a number', () => {
  const taken = new Set(['box', 'box-1'])
  expect(uniqueName('box', (name) => taken.has(name))).toBe('box-2')
  expect(uniqueName('other', (name) => taken.has(name))).toBe('other')
  expect([isNameOf('box-2', 'box'), isNameOf('box-two', 'box'), isNameOf('boxer', 'box')]).toEqual([
    true,
    false,
    false,
  ])
})

test('addresses go up from 100.64.0.1, and IPv6 carries the low bytes of IPv4', () => {
  const none = (): boolean => false
  expect(nextAddresses(0, none)).toEqual({ number: 1, ipv4: '100.64.0.1', ipv6: 'fd7a:115c:a1e0::40:1' })
  expect(nextAddresses(1, (ipv4) => ipv4 === '100.64.0.2')?.ipv4).toBe('100.64.0.3')
  expect(nextAddresses(254, none)).toMatchObject({ ipv4: '100.64.1.1', ipv6: 'fd7a:115c:a1e0::40:101' })
  expect(nextAddresses(65_534, none)).toMatchObject({ ipv4: '100.65.0.1', ipv6: 'fd7a:115c:a1e0::41:1' })
})

test('reserved addresses are never given, and the pool goes round', () => {
  const none = (): boolean => false
  const after = (high: number, middle: number, low: number): string | undefined =>
    nextAddresses(((high - 64) << 16) + (middle << 8) + low, none)?.ipv4
  expect(after(100, 99, 254)).toBe('100.100.101.1')
  expect(after(115, 91, 254)).toBe('100.115.94.1')
  expect(after(127, 255, 254)).toBe('100.64.0.1')
  expect(nextAddresses(2 ** 22 - 2, () => true)).toBeUndefined()
})

test('deadlines come out in any order when due, and never too late', () => {
  const deadlines = new Deadlines<string>()
  expect(deadlines.next()).toBe(Infinity)
  deadlines.set('a', 10)
  deadlines.set('b', 5)
  deadlines.set('a', 20)
  deadlines.set('c', 7)
  deadlines.delete('c')
  expect(deadlines.next()).toBe(5)
  expect(deadlines.due(4)).toEqual([])
  expect(deadlines.due(7)).toEqual(['b'])
  expect(deadlines.next()).toBe(20)
  expect(deadlines.due(20)).toEqual(['a'])
  expect(deadlines.next()).toBe(Infinity)
})
