import { expect, test } from 'vitest'
import { systemClock, systemRandom } from '../../src/node/index.ts'

test('a timer runs at its time or after, never before', async () => {
  for (const delay of [0, 0.4, 1.7, 12.3]) {
    const due = systemClock.now() + delay
    await new Promise<void>((resolve) => void systemClock.at(due, resolve))
    expect(systemClock.now()).toBeGreaterThanOrEqual(due)
  }
})

test('a timer never runs before at has returned, even when overdue', async () => {
  let returned = false
  const seen = new Promise<boolean>((resolve) => void systemClock.at(-1, () => resolve(returned)))
  returned = true
  expect(await seen).toBe(true)
})

test('a cancelled timer, one for Infinity and one for next year do not run', async () => {
  let ran = 0
  const run = (): void => void (ran += 1)
  const cancels = [systemClock.now() + 5, Infinity, systemClock.now() + 3e10].map((time) =>
    systemClock.at(time, run),
  )
  cancels[0]?.()
  await new Promise<void>((resolve) => void systemClock.at(systemClock.now() + 30, resolve))
  for (const cancel of cancels) cancel()
  expect(ran).toBe(0)
})

test('random bytes have the length asked for, also beyond one system call', () => {
  const bytes = systemRandom(200_000)
  expect(bytes.length).toBe(200_000)
  expect(new Set(bytes.subarray(199_000)).size).toBeGreaterThan(200)
  expect(systemRandom(0).length).toBe(0)
})
