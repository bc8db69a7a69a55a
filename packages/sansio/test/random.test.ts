import { expect, test } from 'vitest'
import { seededRandom } from '../src/index.ts'

test('the same seed gives the same bytes, another seed others', () => {
  expect(seededRandom(7)(33)).toEqual(seededRandom(7)(33))
  expect(seededRandom(7)(33)).not.toEqual(seededRandom(8)(33))
})

test('each call goes on where the last one stopped and hands out its own bytes', () => {
  const random = seededRandom(1)
  const [first, second] = [random(16), random(16)]
  expect(first).not.toEqual(second)
  expect(first.buffer).not.toBe(second.buffer)
  expect(random(0)).toEqual(new Uint8Array(0))
})

test('bytes are spread evenly enough for simulations', () => {
  const counts = new Uint32Array(256)
  for (const byte of seededRandom(42)(256_000)) counts[byte] = (counts[byte] ?? 0) + 1
  expect(Math.min(...counts)).toBeGreaterThan(850)
  expect(Math.max(...counts)).toBeLessThan(1150)
})
