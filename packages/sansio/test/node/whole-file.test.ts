import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkCreatable, createFile, readIfThere, replaceFile } from '../../src/node/index.ts'

let directory = ''
let path = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-file-'))
  path = join(directory, 'deep', 'key')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const modeOf = (file: string): number => statSync(file).mode & 0o777

test('threat 8: a new file, and the folder that was missing, is for its owner alone', () => {
  expect(readIfThere(path)).toBeUndefined()
  expect(createFile(path, 'first')).toBe(true)
  expect([modeOf(path), modeOf(join(directory, 'deep'))]).toEqual([0o600, 0o700])
  expect(readIfThere(path)).toBe('first')
})

test('a new file never takes the place of another, and leaves no draft behind', () => {
  createFile(path, 'first')
  expect(createFile(path, 'second')).toBe(false)
  expect(readFileSync(path, 'utf8')).toBe('first')
  expect(readdirSync(join(directory, 'deep'))).toEqual(['key'])
})

test('a file is replaced whole, with the mode given, and a draft that a crash left is none in the way', () => {
  createFile(path, 'first')
  writeFileSync(`${path}.${process.pid}.new`, 'half')
  replaceFile(path, 'second')
  expect([readIfThere(path), modeOf(path)]).toEqual(['second', 0o600])
  replaceFile(path, 'for all', 0o644)
  expect([readIfThere(path), modeOf(path)]).toEqual(['for all', 0o644])
  expect(readdirSync(join(directory, 'deep'))).toEqual(['key'])
})

test('replacing makes no folder, and creating says what is in the way', () => {
  expect(() => replaceFile(path, 'lost')).toThrow(/ENOENT/)
  expect(existsSync(join(directory, 'deep'))).toBe(false)
  writeFileSync(join(directory, 'deep'), '')
  expect(() => createFile(path, 'lost')).toThrow(/EEXIST|ENOTDIR/)
})

test('looking whether a file could be created touches nothing', () => {
  expect(checkCreatable(path)).toBe(true)
  expect(readdirSync(directory)).toEqual([])
  createFile(path, 'first')
  expect(checkCreatable(path)).toBe(false)
})
