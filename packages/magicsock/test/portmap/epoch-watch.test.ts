// Whether a gateway has begun anew, by its clock beside ours.
import { describe, expect, test } from 'vitest'
import { EpochWatch, NAT_PMP_EPOCH, PCP_EPOCH } from '../../src/portmap/epoch-watch.ts'

/** What is said of an answer with `epoch` a minute after one with 1,000. */
function afterAMinute(rule: typeof PCP_EPOCH, epoch: number): boolean {
  const watch = new EpochWatch(rule)
  expect(watch.note(1_000, 0)).toBe(false)
  return watch.note(epoch, 60_000)
}

describe('a gateway has begun anew', () => {
  test.each([
    [0, true],
    [1_050, true],
    [1_051, false],
    [1_060, false],
    [9_999, false],
  ])('RFC 6886 section 3.6: NAT-PMP, 1,000 and a minute later %d: %s', (epoch, lost) => {
    expect(afterAMinute(NAT_PMP_EPOCH, epoch)).toBe(lost)
  })

  test.each([
    [0, true],
    [1_054, true],
    [1_055, false],
    [1_060, false],
    [1_066, false],
    [1_067, true],
    [9_999, true],
  ])('RFC 6887 section 8.5: PCP, 1,000 and a minute later %d: %s', (epoch, lost) => {
    expect(afterAMinute(PCP_EPOCH, epoch)).toBe(lost)
  })

  test('not when a second is lost between two answers of the same moment, nor when it is another gateway', () => {
    const watch = new EpochWatch(PCP_EPOCH)
    watch.note(1_000, 0)
    expect(watch.note(999, 0)).toBe(false)
    expect(watch.note(997, 0)).toBe(true)
    watch.forget()
    expect(watch.note(3, 1)).toBe(false)
  })
})
