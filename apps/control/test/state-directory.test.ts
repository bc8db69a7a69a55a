import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { claim, stateDirectory } from '../src/state-directory.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-state-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777

test('threat 8: a state directory is made for its owner alone, and one that was there keeps its mode', () => {
  claim(stateDirectory(join(folder, 'new')))
  expect(modeOf(join(folder, 'new'))).toBe(0o700)
  const old = join(folder, 'old')
  mkdirSync(old, { mode: 0o755 })
  claim(stateDirectory(old))
  expect([modeOf(old), modeOf(join(old, 'control.lock'))]).toEqual([0o755, 0o600])
})

test('a state directory that cannot be made is said so, at once', ({ skip }) => {
  if (!existsSync('/proc/self')) skip('there is no /proc here')
  expect(() => claim(stateDirectory('/proc/x/y'))).toThrow(
    /^The state directory \/proc\/x\/y cannot be used: ENOENT/,
  )
})
