import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplayWindow } from '../src/replay-window.ts'

/** What the window ought to do, in exact integers and with all the memory in the world. */
class Reference {
  readonly #seen = new Set<bigint>()
  #highest = 0n

  accept(counter: bigint): boolean {
    if (this.#highest - counter > 8_128n || this.#seen.has(counter)) return false
    this.#seen.add(counter)
    if (counter > this.#highest) this.#highest = counter
    return true
  }
}

const accept = (window: ReplayWindow, counter: bigint): boolean =>
  window.accept(Number(counter >> 32n), Number(counter & 0xffff_ffffn))

describe('the replay window', () => {
  test('W12 agrees with exact arithmetic for any counters', () => {
    const start = fc.constantFrom(
      0n,
      2n ** 32n - 5_000n,
      2n ** 32n,
      2n ** 53n - 9_000n,
      2n ** 53n,
      2n ** 64n - 30_000n,
    )
    const step = fc.oneof(
      fc.integer({ min: -9_000, max: 40 }),
      fc.integer({ min: -40, max: 9_000 }),
      fc.integer({ min: 0, max: 100_000 }),
    )
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 200 }), (from, steps) => {
        const window = new ReplayWindow()
        const reference = new Reference()
        let counter = from
        for (const by of steps) {
          counter += BigInt(by)
          if (counter < 0n || counter >= 2n ** 64n) counter = from
          expect(accept(window, counter)).toBe(reference.accept(counter))
        }
      }),
    )
  })

  test.each([2n ** 32n, 2n ** 53n, 2n ** 64n - 2n ** 13n - 2n])(
    'threat 22: counts exactly around %d',
    (middle) => {
      const window = new ReplayWindow()
      for (const offset of [-1n, 0n, 1n]) expect(accept(window, middle + offset)).toBe(true)
      for (const offset of [-1n, 0n, 1n]) expect(accept(window, middle + offset)).toBe(false)
      expect(accept(window, middle - 8_127n)).toBe(true)
      expect(accept(window, middle - 8_128n)).toBe(false)
    },
  )

  test('forgets everything after a jump, and nothing after a step', () => {
    const window = new ReplayWindow()
    expect(accept(window, 5n)).toBe(true)
    expect(accept(window, 5n + 8_128n)).toBe(true)
    expect(accept(window, 5n)).toBe(false)
    expect(accept(window, 6n)).toBe(true)
    expect(accept(window, 2n ** 40n)).toBe(true)
    expect(accept(window, 2n ** 40n - 8_128n)).toBe(true)
    expect(accept(window, 2n ** 40n - 8_128n)).toBe(false)
  })
})
