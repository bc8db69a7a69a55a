import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { reasonOf, systemCodeOf } from '../../src/node/index.ts'

function failureOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

test('a reason stands inside a sentence: without a full stop, and of several the first', () => {
  expect(reasonOf(new Error('The disk is full.'))).toBe('The disk is full')
  expect(reasonOf(new AggregateError([new Error('refused.'), new Error('timed out')]))).toBe('refused')
  expect(reasonOf(new AggregateError([], 'nothing worked.'))).toBe('nothing worked')
  expect(reasonOf('what was thrown.')).toBe('what was thrown')
})

test('the code of a system error is told, and of another is empty', () => {
  expect(systemCodeOf(failureOf(() => readFileSync('/nowhere/at/all')))).toBe('ENOENT')
  expect(systemCodeOf(new Error('broken'))).toBe('')
  expect(systemCodeOf({ code: 'EPERM' })).toBe('')
})
