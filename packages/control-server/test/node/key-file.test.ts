import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatPrivateKey } from '@mesh/keys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadControlKey } from '../../src/node/index.ts'

const MODULE = new URL('../../src/node/key-file.ts', import.meta.url).href
/** Loads the key in a file, and is killed before it touches files for the nth time. */
const DOOMED = `
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  const [path, count] = process.argv.slice(-2)
  const { loadControlKey } = await import(${JSON.stringify(MODULE)})
  let left = Number(count)
  for (const name of ['writeFileSync', 'openSync', 'fsyncSync', 'closeSync', 'linkSync', 'rmSync']) {
    const real = fs[name]
    fs[name] = (...args) => {
      left -= 1
      if (left === 0) process.kill(process.pid, 'SIGKILL')
      return real(...args)
    }
  }
  syncBuiltinESMExports()
  loadControlKey(path)
`

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-key-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('threat 8: a key is made once, for its owner alone, and found again', () => {
  const path = join(folder, 'private.key')
  const key = loadControlKey(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(readFileSync(path, 'utf8')).toBe(`${formatPrivateKey(key)}\n`)
  expect(loadControlKey(path)).toEqual(key)
})

test('threat 35: killed at any step, it leaves a whole key or none, which stays the key', {
  timeout: 60_000,
}, () => {
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning', '--input-type=module']
  const left: string[] = []
  for (let step = 1; ; step += 1) {
    const path = join(folder, `${step}.key`)
    const { signal } = spawnSync(process.execPath, [...flags, '--eval', DOOMED, path, String(step)])
    if (signal === null) break
    const found = existsSync(path) ? 'whole' : 'none'
    const before = existsSync(path)
      ? readFileSync(path, 'utf8')
      : `${formatPrivateKey(loadControlKey(path))}\n`
    expect([readFileSync(path, 'utf8'), `${formatPrivateKey(loadControlKey(path))}\n`]).toEqual([
      before,
      before,
    ])
    left.push(found)
  }
  // It was killed before there was a key, and after.
  expect(left.join(' ')).toMatch(/^(none ){6}(whole ?){4,}$/)
})

test('a file that holds no key is an error, and is left alone', () => {
  const path = join(folder, 'private.key')
  for (const text of ['', 'privkey:00', 'nonsense']) {
    writeFileSync(path, text)
    expect(() => loadControlKey(path)).toThrow(`The key file ${path} does not hold a private key.`)
    expect(readFileSync(path, 'utf8')).toBe(text)
  }
})
