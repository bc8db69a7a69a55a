import { expect, test } from 'vitest'
import { paddedLength } from '../src/padding.ts'

test('W13 pads 1…1264 bytes to a multiple of 16, 1265…1280 to 1280 at most, and nothing to nothing', () => {
  expect(paddedLength(0, 1_280)).toBe(0)
  for (let length = 1; length <= 1_264; length += 1)
    expect(paddedLength(length, 1_280)).toBe(Math.ceil(length / 16) * 16)
  for (let length = 1_265; length <= 1_280; length += 1) expect(paddedLength(length, 1_280)).toBe(1_280)
})

test('W13 never pads beyond an MTU that is no multiple of 16', () => {
  expect(paddedLength(1_410, 1_412)).toBe(1_412)
  expect(paddedLength(1_412, 1_412)).toBe(1_412)
  expect(paddedLength(1_413, 1_412)).toBe(1_428)
})
