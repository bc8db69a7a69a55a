// The committed module is what assembly/ compiles to, byte for byte, and both sides agree on where things lie.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { compileModule, modulePath } from '../../scripts/build-wasm.ts'
import { AEAD_MODULE, AEAD_MODULE_SHA256 } from '../../src/wasm/aead-module.ts'
import { decodeBase64 } from '../../src/wasm/base64.ts'
import * as layout from '../../src/wasm/layout.ts'

test('the committed module is what assembly/ compiles to', { timeout: 60_000 }, async () => {
  expect(await compileModule()).toBe(readFileSync(modulePath, 'utf8'))
})

test('its text decodes to the bytes its digest names, and they are a module', () => {
  const bytes = decodeBase64(AEAD_MODULE)
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(AEAD_MODULE_SHA256)
  expect([...bytes.subarray(0, 8)]).toEqual([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
  expect(Buffer.from(bytes)).toEqual(Buffer.from(AEAD_MODULE, 'base64'))
})

test('the layout of the assembly is that of the TypeScript side', () => {
  const source = readFileSync(new URL('../../assembly/layout.as', import.meta.url), 'utf8')
  const value = (name: string): number => {
    const found = new RegExp(`const ${name}: \\w+ = (.+)`).exec(source)?.[1] ?? `no ${name}`
    return found
      .split(' + ')
      .reduce((sum, term) => sum + (/^\d+$/.test(term) ? Number(term) : value(term)), 0)
  }
  expect(value('SCRATCH_END')).toBe(layout.SCRATCH_LENGTH)
  expect(value('SLOT_STRIDE')).toBe(layout.SLOT_STRIDE)
  expect(value('SLOT_LIVE')).toBe(layout.SLOT_LIVE)
  expect(value('ENTRY_STRIDE')).toBe(4 * layout.ENTRY_WORDS)
  expect(value('ENTRY_OFFSET')).toBe(4 * layout.ENTRY_OFFSET)
  expect(value('ENTRY_LENGTH')).toBe(4 * layout.ENTRY_LENGTH)
  expect(value('ENTRY_COUNTER')).toBe(4 * layout.ENTRY_COUNTER_LOW)
  expect(layout.ENTRY_COUNTER_HIGH).toBe(layout.ENTRY_COUNTER_LOW + 1)
  expect(value('ENTRY_KEY')).toBe(4 * layout.ENTRY_KEY)
  expect(value('ENTRY_RESULT')).toBe(4 * layout.ENTRY_RESULT)
})
