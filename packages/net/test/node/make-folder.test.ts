import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../src/node/make-folder.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-folder-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('makes a folder and those above it with the mode given, and leaves one that is there', async () => {
  const path = join(directory, 'a', 'b')
  await makeFolder(path, 0o700)
  expect(statSync(path).mode & 0o777).toBe(0o700)
  await Promise.all([makeFolder(path, 0o755), makeFolder(path, 0o755)])
  expect(statSync(path).mode & 0o777).toBe(0o700)
})

test('comes to an end where something else has the name', async () => {
  writeFileSync(join(directory, 'file'), '')
  await expect(makeFolder(join(directory, 'file'), 0o700)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(directory, 'file', 'x'), 0o700)).rejects.toThrow(/EEXIST|ENOTDIR/)
})

test('comes to an end below /proc, which takes no folders', async ({ skip }) => {
  if (!existsSync('/proc/self')) skip('there is no /proc here')
  await expect(makeFolder('/proc/x/y', 0o700)).rejects.toThrow(/ENOENT/)
})
