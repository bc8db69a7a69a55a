import { describe, expect, test } from 'vitest'
import { encodeMoment, encodeTai64n, isLater, Tai64nClock } from '../src/tai64n.ts'

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

describe('timestamps', () => {
  test('W1 are written as in data-plane.md appendix A.1', () => {
    expect(hex(encodeTai64n(1_700_000_000, 123_456_789))).toBe('400000006553f10a07000000')
    const clock = new Tai64nClock(() => 1_700_000_000_123.456)
    expect(hex(encodeMoment(clock.after(-1)))).toBe('400000006553f10a07000000')
  })

  test('W5 threat 25: only ever grow, in the same instant and when the clock is set back', () => {
    let wall = 1_700_000_000_990
    const clock = new Tai64nClock(() => wall)
    let moment = clock.after(-1)
    let last = encodeMoment(moment)
    for (let i = 0; i < 500; i += 1) {
      if (i === 100) wall -= 3_600_000
      if (i === 300) wall += 7_200_000
      moment = clock.after(moment)
      const next = encodeMoment(moment)
      expect(isLater(next, last)).toBe(true)
      expect(isLater(last, next)).toBe(false)
      expect(next.subarray(9)).toEqual(new Uint8Array(3))
      last = next
    }
  })

  test('W5 for somebody new are the present, however many others were just greeted, and never of before the clock was set back', () => {
    let wall = 1_700_000_000_000
    const clock = new Tai64nClock(() => wall)
    const first = clock.after(-1)
    expect(Array.from({ length: 1_000 }, () => clock.after(-1))).toEqual(
      Array.from({ length: 1_000 }, () => first),
    )
    wall -= 3_600_000
    expect(clock.after(-1)).toBe(first)
  })

  test('are not later than themselves', () => {
    expect(isLater(encodeTai64n(5, 0), encodeTai64n(5, 0))).toBe(false)
    expect(isLater(encodeTai64n(2 ** 32, 0), encodeTai64n(2 ** 32 - 11, 0))).toBe(true)
  })
})
