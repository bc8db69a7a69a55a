import { expect, test } from 'vitest'
import { HostLimits } from '../src/host-limits.ts'

const V4 = [192, 0, 2, 1]
const V6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]

test.each([
  ['IPv4', (i: number) => [i, 1, ...V4]],
  ['IPv6, the rest of whose address it chooses', (i: number) => [0, 1, ...V6.slice(0, 15), i]],
  ['IPv4, by tunnels whose numbers it chooses', (i: number) => [0, 0, 0, i, 0, 1, ...V4]],
  ['IPv6, by such tunnels', (i: number) => [0, 0, 0, i, 0, 1, ...V6]],
])('threat 23: a host of %s is one host', (_, nameOf) => {
  const limits = new HostLimits()
  const taken = Array.from({ length: 100 }, (__, i) => limits.take(Uint8Array.from(nameOf(i)), 0))
  expect(taken.filter((one) => one)).toHaveLength(5)
  expect(limits.take(Uint8Array.of(0, 1, 192, 0, 2, 2), 0)).toBe(true)
})

test('senders behind a relay are told apart by their keys', () => {
  const limits = new HostLimits()
  const names = Array.from({ length: 100 }, (_, i) => Uint8Array.of(0, 0, 0, 1, ...new Uint8Array(31), i))
  expect(names.every((name) => limits.take(name, 0))).toBe(true)
})
