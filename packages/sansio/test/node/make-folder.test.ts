import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { makeFolder } from '../../src/node/index.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-folder-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const modeOf = (...path: string[]): number => statSync(join(directory, ...path)).mode & 0o777

test('makes a folder and those above it, for nobody else or with the mode given', () => {
  makeFolder(join(directory, 'a', 'b'))
  expect([modeOf('a'), modeOf('a', 'b')]).toEqual([0o700, 0o700])
  makeFolder(join(directory, 'c', 'd'), 0o755)
  expect([modeOf('c'), modeOf('c', 'd')]).toEqual([0o755, 0o755])
})

test('leaves a folder that is there as it is', () => {
  mkdirSync(join(directory, 'open'))
  const before = modeOf('open')
  makeFolder(join(directory, 'open'), 0o711)
  expect(modeOf('open')).toBe(before)
})

test('comes to an end where something else has the name', () => {
  writeFileSync(join(directory, 'file'), '')
  expect(() => makeFolder(join(directory, 'file'))).toThrow(/EEXIST/)
  expect(() => makeFolder(join(directory, 'file', 'x'))).toThrow(/EEXIST|ENOTDIR/)
})

test('comes to an end below /proc, which takes no folders', ({ skip }) => {
  if (!existsSync('/proc/self')) skip('there is no /proc here')
  expect(() => makeFolder('/proc/x/y')).toThrow(/ENOENT/)
})
