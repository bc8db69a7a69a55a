// Some of the networks of `pnpm sim explain`.
import { expect, test } from 'vitest'
import { confusion, judge, WANTED } from '../sim/explain.ts'

test('explainPath says what is true in nineteen of twenty random networks', () => {
  const all = Array.from({ length: 100 }, (_, n) => judge(2_000_000 + n))
  const right = all.filter(({ truth, verdict }) => truth === verdict).length
  expect(right / all.length, `truths and verdicts:\n${confusion(all)}`).toBeGreaterThanOrEqual(WANTED)
})
