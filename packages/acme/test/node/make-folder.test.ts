import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makePrivateFolder } from '../../src/node/index.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-folder-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('makes a folder and those above it for nobody else, and leaves one that is there', () => {
  const path = join(directory, 'a', 'b')
  makePrivateFolder(path)
  expect(['a', 'a/b'].map((name) => statSync(join(directory, name)).mode & 0o777)).toEqual([0o700, 0o700])
  const open = join(directory, 'open')
  mkdirSync(open)
  const mode = statSync(open).mode
  makePrivateFolder(open)
  expect(statSync(open).mode).toBe(mode)
})

test('comes to an end where something else has the name', () => {
  writeFileSync(join(directory, 'file'), '')
  expect(() => makePrivateFolder(join(directory, 'file'))).toThrow(/EEXIST/)
  expect(() => makePrivateFolder(join(directory, 'file', 'x'))).toThrow(/EEXIST|ENOTDIR/)
})

test('comes to an end below /proc, which takes no folders', ({ skip }) => {
  if (!existsSync('/proc/self')) skip('there is no /proc here')
  expect(() => makePrivateFolder('/proc/x/y')).toThrow(/ENOENT/)
})
