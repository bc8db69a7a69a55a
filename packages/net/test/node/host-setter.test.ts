// How the host's network is set: in order, and on after a failure.
import { expect, test } from 'vitest'
import type { HostRoutes } from '../../src/index.ts'
import { HostSetter } from '../../src/node/host-setter.ts'

const to = (...routes: readonly string[]): HostRoutes => ({ addresses: [], routes })

test('changes are made one after the other, and one that fails is told and does not hold up the next', async () => {
  const told: string[] = []
  const setter = new HostSetter({
    set: async ({ routes }) => {
      told.push(`begin ${routes.join()}`)
      await new Promise((resolve) => setImmediate(resolve))
      if (routes.includes('bad')) throw new Error('no such device')
      told.push(`end ${routes.join()}`)
    },
    onDone: () => told.push('done'),
    onFailure: (error) => told.push(String(error)),
  })
  for (const route of ['a', 'bad', 'c']) setter.set(to(route))
  expect(setter.isSet).toBe(false)
  await setter.done
  expect(setter.isSet).toBe(true)
  expect(told).toEqual([
    ...['begin a', 'end a', 'done'],
    ...['begin bad', 'Error: no such device', 'done'],
    ...['begin c', 'end c', 'done'],
  ])
})

test('what has not begun at the end is not done', async () => {
  const told: string[] = []
  const set = ({ routes }: HostRoutes): void => void told.push(...routes)
  const setter = new HostSetter({ set, onDone: () => undefined, onFailure: () => undefined })
  setter.set(to('a'))
  setter.close()
  await setter.done
  expect(told).toEqual([])
})
