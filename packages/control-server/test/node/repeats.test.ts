import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Repeats } from '../../src/node/repeats.ts'

let said: (readonly [string, number])[] = []

beforeEach(() => {
  said = []
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const begin = (): Repeats => new Repeats((reason, times) => void said.push([reason, times]))

test('says the first of a kind at once, and from time to time how many more there were', () => {
  const repeats = begin()
  for (let i = 0; i < 1000; i += 1) repeats.note('the disk is full')
  repeats.note('something else')
  expect(said.splice(0)).toEqual([
    ['the disk is full', 1],
    ['something else', 1],
  ])
  vi.advanceTimersByTime(10_000)
  expect(said.splice(0)).toEqual([['the disk is full', 999]])
  repeats.note('the disk is full')
  expect(said).toEqual([])
  vi.advanceTimersByTime(10_000)
  expect(said.splice(0)).toEqual([['the disk is full', 1]])
})

test('says at once what did not come for a while', () => {
  const repeats = begin()
  repeats.note('the disk is full')
  vi.advanceTimersByTime(20_000)
  expect(vi.getTimerCount()).toBe(0)
  repeats.note('the disk is full')
  expect(said).toEqual([
    ['the disk is full', 1],
    ['the disk is full', 1],
  ])
})

test('says what is left when it ends, and keeps no more than so many kinds apart', () => {
  const repeats = begin()
  for (let kind = 0; kind < 1000; kind += 1) for (const _ of [1, 2]) repeats.note(`kind ${kind}`)
  expect(vi.getTimerCount()).toBe(1)
  repeats.close()
  expect(vi.getTimerCount()).toBe(0)
  expect(said).toHaveLength(2000)
  expect(said.at(-1)).toEqual(['kind 999', 1])
})
