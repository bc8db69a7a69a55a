// Keys are wiped when a session ends: looked for in all the memory of a process, OpenSSL's with it.
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeEach, expect, test } from 'vitest'
import { linuxDataPlaneUnsupportedReason } from '../../src/node/index.ts'
import { borrowedOpenSsl } from '../../src/node/openssl-aead.ts'

beforeEach(({ skip }) => {
  const reason = linuxDataPlaneUnsupportedReason()
  if (reason !== undefined) skip(reason)
})

/** How often the keys of a session stood in memory while it was in use, and how often afterwards. */
function remains(how: string): readonly { readonly during: number; readonly after: number }[] {
  const program = fileURLToPath(new URL('programs/key-remains.ts', import.meta.url))
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const said = execFileSync(process.execPath, [...flags, program, how], { encoding: 'utf8' })
  return JSON.parse(said) as ReturnType<typeof remains>
}

test.for(['wasm', 'raw', 'evp'] as const)(
  'no key of a session outlives it, nor the core, with %s',
  (crypto, { skip }) => {
    if (crypto !== 'wasm' && borrowedOpenSsl()[crypto] === undefined) skip('this Node does not show it')
    const [ended, closed] = remains(crypto)
    expect(ended?.during).toBeGreaterThanOrEqual(crypto === 'evp' ? 4 : 2)
    expect(ended?.after).toBe(0)
    expect(closed?.during).toBeGreaterThanOrEqual(2)
    expect(closed?.after).toBe(0)
  },
)

test('no key of a session outlives it, on its way to a packet thread and in it', () => {
  const [thread] = remains('thread')
  expect(thread?.during).toBeGreaterThanOrEqual(2)
  expect(thread?.after).toBe(0)
})

test('keys that a packet thread does not live to read are overwritten', () => {
  const [unread] = remains('unread')
  expect(unread?.during).toBeGreaterThanOrEqual(2)
  expect(unread?.after).toBe(0)
})
