// The reference model against the table that was measured on the real kernel: who meets whom, by rules alone.
import { expect, test } from 'vitest'
import type { Middlebox } from '../sim/topology.ts'
import { canBeDirect, situationOf } from '../sim/truth.ts'
import { BOXES, KERNEL_TABLE, KINDS } from '../sim/kinds.ts'

test('the model says of every pair of kinds what the real kernel does', () => {
  const boxes: Middlebox[] = []
  const home = (kind: keyof typeof BOXES): number | undefined => {
    const box = BOXES[kind]
    return box === undefined ? undefined : boxes.push(box) - 1
  }
  for (const [row, a] of KINDS.entries()) {
    for (const [column, b] of KINDS.entries()) {
      if (column < row) continue
      const machines = [home(a), home(b)].map((behind) => ({
        behind,
        families: 'ipv4' as const,
        latency: 5,
        mapsPorts: false,
      }))
      const now = situationOf({ boxes, machines, relays: [] })
      machines.forEach(({ behind }, n) => {
        if ([a, b][n] === 'noudp') now.blocked.add(behind!)
      })
      const expected = KERNEL_TABLE[a][column - row] === 'D'
      expect(canBeDirect(now, 0, 1), `${a} ~ ${b}`).toBe(expected)
    }
  }
})
