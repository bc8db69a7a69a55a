// What `pnpm sim crowd` runs for a hundred nodes and ten minutes, with fewer of both.
import { expect, test } from 'vitest'
import { crowdRun } from '../sim/crowd.ts'

test('D3: of twenty nodes that talk, all pairs are direct that can be, and nothing is lost', () => {
  const { failure, direct, relayed, wrong } = crowdRun({ seed: 1, nodes: 20, minutes: 2 })
  expect(failure).toBeUndefined()
  expect(wrong).toBe(0)
  // Both kinds are among them, or this would show little.
  expect(direct).toBeGreaterThan(5)
  expect(relayed).toBeGreaterThan(5)
})
