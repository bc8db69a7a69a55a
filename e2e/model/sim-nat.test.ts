// The tables of `pnpm sim nat`: every cell as expected, and the expectation what the real kernel does.
import { expect, test } from 'vitest'
import {
  allBehaviours,
  type Cell,
  differsFromKernel,
  kernelKinds,
  oneCarrier,
  type Table,
} from '../sim/nat.ts'

function wrong({ rows, columns }: Table): string[] {
  return rows.flatMap(({ name, cells }) =>
    cells.flatMap((cell: Cell | undefined, n) =>
      cell?.isRight === false ? [`${name} ~ ${columns[n]}`] : [],
    ),
  )
}

test('D2: the kinds of the table of the real kernel are direct or relayed as there, and hard against easy by a search', () => {
  const table = kernelKinds()
  expect(wrong(table)).toEqual([])
  expect(differsFromKernel(table)).toEqual([])
})

test.each([
  ['every mapping and filtering of RFC 4787 with every other', () => allBehaviours(false)],
  ['two homes behind one carrier NAT of every kind, with and without hairpinning', oneCarrier],
])('D2: %s: direct or relayed by the rules', (_what, play) => {
  expect(wrong(play())).toEqual([])
})
