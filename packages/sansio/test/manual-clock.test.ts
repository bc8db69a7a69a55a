import { expect, test } from 'vitest'
import { ManualClock } from '../src/index.ts'

test('stands still until it is turned', () => {
  const clock = new ManualClock(100)
  let ran = false
  clock.at(100, () => (ran = true))
  expect([clock.now(), ran]).toEqual([100, false])
  clock.advanceBy(0)
  expect([clock.now(), ran]).toEqual([100, true])
})

test('runs timers in the order of their times, and equal times in the order of setting', () => {
  const clock = new ManualClock()
  const seen: string[] = []
  for (const [name, time] of [
    ['d', 30],
    ['a', 10],
    ['b', 20],
    ['c', 20],
    ['past', -5],
  ] as const) {
    clock.at(time, () => seen.push(`${name}@${clock.now()}`))
  }
  clock.advanceTo(100)
  expect(seen).toEqual(['past@0', 'a@10', 'b@20', 'c@20', 'd@30'])
  expect(clock.now()).toBe(100)
})

test('runs timers that timers set, when they fall within the turn', () => {
  const clock = new ManualClock()
  const ticks: number[] = []
  const tick = (): void => {
    ticks.push(clock.now())
    clock.at(clock.now() + 10, tick)
  }
  clock.at(0, tick)
  clock.advanceTo(35)
  expect(ticks).toEqual([0, 10, 20, 30])
  expect(clock.nextTimer()).toBe(40)
})

test('forgets a cancelled timer, also one cancelled by another at the same instant', () => {
  const clock = new ManualClock()
  const seen: string[] = []
  clock.at(5, () => cancelSecond())
  const cancelSecond = clock.at(5, () => seen.push('second'))
  const cancelThird = clock.at(6, () => seen.push('third'))
  cancelThird()
  cancelThird()
  clock.advanceTo(10)
  expect(seen).toEqual([])
  expect(clock.nextTimer()).toBe(Infinity)
})

test('never runs a timer set for Infinity, and refuses one set for NaN', () => {
  const clock = new ManualClock()
  clock.at(Infinity, () => expect.unreachable())
  expect(clock.nextTimer()).toBe(Infinity)
  expect(() => clock.at(Number.NaN, () => undefined)).toThrow(RangeError)
})

test('refuses to run backwards and to spin at one instant for ever', () => {
  const clock = new ManualClock(10)
  expect(() => clock.advanceTo(9)).toThrow(RangeError)
  const again = (): void => void clock.at(clock.now(), again)
  again()
  expect(() => clock.advanceBy(1)).toThrow('never come to rest')
})

test('keeps the order of a thousand timers set at random', () => {
  const clock = new ManualClock()
  const times = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 503)
  const seen: number[] = []
  for (const time of times) clock.at(time, () => seen.push(time))
  clock.advanceTo(1000)
  expect(seen).toEqual(times.toSorted((a, b) => a - b))
})
