import { expect, test } from 'vitest'
import { NoteLimit } from '../../src/node/note-limit.ts'

test('threat 26: a node writes ten lines a minute into the log, whatever it sends, and others write theirs', () => {
  const limit = new NoteLimit()
  const flood = Array.from({ length: 100 }, () => limit.allow(1, 1000))
  expect(flood.filter(Boolean)).toHaveLength(10)
  expect(limit.allow(2, 1000)).toBe(true)
  expect([limit.allow(1, 60_999), limit.allow(1, 61_000)]).toEqual([false, true])
})
