import { expect, test } from 'vitest'
import { TokenBucket } from '../src/index.ts'

test('gives as many as it holds at once, then one an interval, and never holds more', () => {
  const bucket = new TokenBucket(2, 1_000, 0)
  const takeAt = (...times: number[]): boolean[] => times.map((now) => bucket.take(now))
  expect(takeAt(0, 0, 0, 999, 1_000, 1_000)).toEqual([true, true, false, false, true, false])
  expect(takeAt(60_000, 60_000, 60_000)).toEqual([true, true, false])
})

test('gives several or none', () => {
  const bucket = new TokenBucket(1_000, 0.5, 0)
  expect([bucket.take(0, 1_001), bucket.take(0, 600), bucket.take(0, 401), bucket.take(0, 400)]).toEqual([
    false,
    true,
    false,
    true,
  ])
  expect([bucket.take(100, 201), bucket.take(100, 200)]).toEqual([false, true])
})
