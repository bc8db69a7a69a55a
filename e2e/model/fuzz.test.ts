// Some of the random histories of `pnpm sim fuzz`, and all the seeds that once failed.
import { expect, test } from 'vitest'
import { fuzzRun } from '../sim/fuzz-run.ts'
import { tellSeed } from '../sim/fuzz.ts'
import { KEPT_SEEDS } from './regressions/fuzz-seeds.ts'

const SEEDS = 120
/** Apart from where `pnpm sim fuzz` begins, so that the two do not look at the same. */
const FIRST = 1_000_000

test(`D3, D8, D16: in ${SEEDS} random networks nothing is lost but to trouble not yet known, and pairs are direct where they can be`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) {
    const { failure } = fuzzRun(seed)
    if (failure !== undefined) console.log(tellSeed(seed, 60).story)
    expect(failure, `again: pnpm sim fuzz --seed ${seed} --seeds 1`).toBeUndefined()
  }
})

test.each(KEPT_SEEDS)('seed $seed, which once found that $found, passes', ({ seed }) => {
  expect(fuzzRun(seed).failure).toBeUndefined()
})

test('the same seed gives the same run, to the last datagram', () => {
  expect(tellSeed(7).story).toBe(tellSeed(7).story)
})

test('a timeline tells the network, what befell it, and each datagram', () => {
  const { story } = tellSeed(8)
  expect(story).toContain('node 1 ')
  expect(story).toContain('happens: ')
  expect(story).toMatch(/delivered +\S+ > \S+ {2}disco, 124 bytes/)
})
