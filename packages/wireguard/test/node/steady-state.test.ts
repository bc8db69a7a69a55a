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

type Said = Record<'bytesEach' | 'packets' | 'judged', number>

/** What a program of `programs/` says of the packets that it moved. */
function run(program: string, ...args: readonly string[]): Said {
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const file = fileURLToPath(new URL(`programs/${program}.ts`, import.meta.url))
  return JSON.parse(execFileSync(process.execPath, [...flags, file, ...args], { encoding: 'utf8' })) as Said
}

describe.each(['wasm', 'raw', 'evp'])('sealed and opened with %s', (crypto) => {
  test('a million packets of TCP, cut and joined, allocate less than a byte each', () => {
    const { bytesEach, packets } = run('million-packets', crypto, 'tcp')
    expect(packets).toBeGreaterThanOrEqual(1_000_000)
    expect(bytesEach).toBeLessThan(1)
  })

  test('a million datagrams, each judged by itself on its way out and in, allocate less than a byte each', () => {
    const { bytesEach, packets, judged } = run('million-packets', crypto, 'udp')
    expect(packets).toBeGreaterThanOrEqual(1_000_000)
    expect(judged).toBe(2 * packets)
    expect(bytesEach).toBeLessThan(1)
  })
})

test.for([
  ['tcp', 1_000_000],
  ['udp', 200_000],
] as const)(
  'what two peers send in turn through real sockets, %s, allocates less than a byte a packet',
  ([kind, wanted]) => {
    const { bytesEach, packets } = run('million-through-threads', kind, `${wanted}`)
    expect(packets).toBeGreaterThanOrEqual(wanted)
    expect(bytesEach).toBeLessThan(1)
  },
)
