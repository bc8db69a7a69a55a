// What a packet costs in memory once everything is warm: nothing, whichever crypto moves it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test as anyTest } from 'vitest'
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

/** Bytes of heap for each of a million packets that were cut, sealed, opened and joined. */
function bytesPerPacket(crypto: string): number {
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const said = execFileSync(process.execPath, [...flags, PROGRAM, crypto], { encoding: 'utf8' })
  const { allocated, packets } = JSON.parse(said) as { allocated: number; packets: number }
  expect(packets).toBeGreaterThanOrEqual(1_000_000)
  return allocated / packets
}

test.for(['wasm', 'raw', 'evp'])('a million packets allocate less than a byte each, with %s', (crypto) => {
  expect(bytesPerPacket(crypto)).toBeLessThan(1)
})
