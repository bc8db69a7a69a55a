import { readFileSync } from 'node:fs'
import { globSync } from 'node:fs'
import { countInKernel } from '../../examples/eventfd.ts'
import { unsupportedReason } from '@mesh/linux/node'
import { expect, test } from 'vitest'

const ROOT = new URL('../../../../', import.meta.url).pathname

test('raw pointers and node:ffi are in one file of the whole project', () => {
  const sources = globSync('{packages,apps,bench,e2e}/**/*.{ts,mjs}', {
    cwd: ROOT,
    exclude: ['**/node_modules/**', '**/dist/**', '**/test/**'],
  })
  expect(sources.length).toBeGreaterThan(100)
  const users = sources.filter((file) =>
    /getRawPointer|(?:from|import|require|getBuiltinModule)\W+node:ffi/.test(
      readFileSync(ROOT + file, 'utf8'),
    ),
  )
  expect(users).toEqual(['packages/linux/src/node/native.ts'])
})

test('the example of the README counts', ({ skip }) => {
  const reason = unsupportedReason()
  if (reason !== undefined) skip(reason)
  expect(countInKernel()).toBe(42n)
})
