// The short cases of `pnpm interop wireguard` with the distribution's wireguard-go.
import { describe, expect } from 'vitest'
import { wireguard } from '../interop/wireguard.ts'
import { netnsTest } from './support.ts'

const test = netnsTest('wireguard-go', 'wg', 'ping')
const SHORT = /: (both roles|a pre-shared key|roaming|wg on ours)/

describe('our interface with', () => {
  for (const one of wireguard.filter(({ name, peers }) => peers.length === 0 && SHORT.test(name))) {
    test(one.name, async ({ lab }) => {
      const reached: string[] = []
      await one.run(
        lab,
        async (stage, work) => {
          reached.push(stage)
          return work()
        },
        (program) => program,
      )
      expect(reached.length).toBeGreaterThan(0) // a stage that stops short throws
    })
  }
})
