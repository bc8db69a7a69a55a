import { expect, test } from 'vitest'
import { MAX_UNTAKEN, Snapshots } from '../../src/node/snapshots.ts'

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test('threat 26: a machine that takes none of its snapshots holds up nobody else', async () => {
  const made: number[] = []
  const taken = new Map<number, () => void>()
  const snapshots = new Snapshots({
    mayMake: () => true,
    make: (exchange, onWritten) => {
      made.push(exchange)
      taken.set(exchange, onWritten)
      // A few of them are all that may be on their way.
      return 8 << 20
    },
  })
  for (let exchange = 1; exchange <= 100; exchange += 1) snapshots.add(exchange, 'mkey:greedy')
  snapshots.add(101, 'mkey:other')
  await soon()
  expect(made).toEqual([...Array.from({ length: MAX_UNTAKEN }, (_, index) => index + 1), 101])
  taken.get(1)?.()
  await soon()
  expect(made.at(-1)).toBe(MAX_UNTAKEN + 1)
  snapshots.close()
})
