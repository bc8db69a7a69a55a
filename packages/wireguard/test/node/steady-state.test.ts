// What a packet costs in memory once everything is warm: nothing, whichever crypto moves it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test as anyTest } from 'vitest'
import { linuxDataPlaneUnsupportedReason } from '../../src/node/index.ts'

const test = anyTest.extend({
  // oxlint-disable-next-line no-empty-pattern -- vitest wants to see what a fixture needs
  supported: [
    async ({ skip }, use) => {
      const reason = linuxDataPlaneUnsupportedReason()
      if (reason !== undefined) skip(reason)
      await use(true)
    },
    { auto: true },
  ],
})

const PROGRAM = fileURLToPath(new URL('programs/million-packets.ts', import.meta.url))

/** What a million packets of a kind did that were sealed and opened, with a packet filter that looked at them. */
function million(crypto: string, kind: string): { bytesEach: number; judged: number } {
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const said = execFileSync(process.execPath, [...flags, PROGRAM, crypto, kind], { encoding: 'utf8' })
  const { allocated, packets, judged } = JSON.parse(said) as Record<
    'allocated' | 'packets' | 'judged',
    number
  >
  expect(packets).toBeGreaterThanOrEqual(1_000_000)
  return { bytesEach: allocated / packets, judged }
}

describe.each(['wasm', 'raw', 'evp'])('with %s', (crypto) => {
  test('a million packets of TCP, cut and joined, allocate less than a byte each', () => {
    expect(million(crypto, 'tcp').bytesEach).toBeLessThan(1)
  })

  test('a million datagrams, each judged by itself when it is sent and when it comes, allocate less than a byte each', () => {
    const { bytesEach, judged } = million(crypto, 'udp')
    expect(judged).toBeGreaterThanOrEqual(2_000_000)
    expect(bytesEach).toBeLessThan(1)
  })
})
