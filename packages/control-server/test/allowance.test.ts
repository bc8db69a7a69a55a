import { expect, test } from 'vitest'
import { Allowance } from '../src/allowance.ts'

test('threat 26: a node writes ten lines a minute into the log, whatever it sends, and others write theirs', () => {
  const limit = new Allowance<number>(10)
  const flood = Array.from({ length: 100 }, () => limit.allow(1, 1000))
  expect(flood.filter(Boolean)).toHaveLength(10)
  expect(limit.allow(2, 1000)).toBe(true)
  expect([limit.renewsIn(60_999), limit.renewsIn(61_000)]).toEqual([1, 0])
  expect([limit.allow(1, 60_999), limit.allow(1, 61_000)]).toEqual([false, true])
})

test('threat 26: whoever comes under ever new names is not counted for ever', () => {
  const limit = new Allowance<number>(1)
  expect([limit.allow(0, 0), limit.allow(0, 0)]).toEqual([true, false])
  for (let key = 1; key < 16_384; key += 1) limit.allow(key, 0)
  expect(limit.allow(0, 0)).toBe(true)
})
