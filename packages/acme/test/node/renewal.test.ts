import { expect, test } from 'vitest'
import { renewalTime, retryDelay } from '../../src/node/renewal.ts'

const DAY = 86_400_000

test('a third of the time before its end a certificate is due, and failures are spaced ever further', () => {
  const validity = { validFromDate: new Date(0), validToDate: new Date(90 * DAY) }
  expect(renewalTime(validity)).toBe(60 * DAY)
  expect([1, 2, 3].map((failures) => retryDelay(failures, 0.5))).toEqual([60_000, 120_000, 240_000])
  expect(retryDelay(50, 0.5)).toBe(21_600_000)
  expect([retryDelay(1, 0), retryDelay(1, 1)]).toEqual([30_000, 90_000])
})
