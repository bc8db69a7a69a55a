import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFileStore } from '@mesh/net/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let directory = ''
let path = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-state-'))
  path = join(directory, 'deep', 'meshd.state')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe('the state file', () => {
  test('gives back after a restart what was written before', async () => {
    const store = await openFileStore(path)
    await store.write({ a: '1', b: '2' })
    await store.write({ a: undefined, c: '3' })
    const again = await openFileStore(path)
    expect([again.read('a'), again.read('b'), again.read('c')]).toEqual([undefined, '2', '3'])
  })

  test('is readable by its owner alone, and leaves no draft behind (threat 8)', async () => {
    const store = await openFileStore(path)
    await Promise.all([store.write({ a: '1' }), store.write({ b: '2' }), store.write({ c: '3' })])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(directory, 'deep')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(directory, 'deep'))).toEqual(['meshd.state'])
    expect(Object.keys(JSON.parse(readFileSync(path, 'utf8')) as object)).toEqual(['a', 'b', 'c'])
  })

  test.each(['', '{"a":"1"', '[]', '{"a":1}', 'null', '\0\0\0\0'])(
    'refuses the damaged file %j with one sentence and leaves it alone',
    async (text) => {
      await (await openFileStore(path)).write({ a: '1' })
      writeFileSync(path, text)
      await expect(openFileStore(path)).rejects.toMatchObject({
        code: 'ERR_STATE_UNREADABLE',
        message: expect.stringMatching(/^The state file .* is damaged: [^\n]*\.$/) as string,
      })
      expect(readFileSync(path, 'utf8')).toBe(text)
    },
  )

  test('a draft that a crash left, keys and all, goes with the next write (threat 8)', async () => {
    const store = await openFileStore(path)
    await store.write({ key: 'old' })
    writeFileSync(`${path}.tmp`, 'half of a sec')
    await store.write({ key: 'new' })
    expect(readdirSync(join(directory, 'deep'))).toEqual(['meshd.state'])
    expect((await openFileStore(path)).read('key')).toBe('new')
  })

  test('keeps what it had when a write fails', async () => {
    const store = await openFileStore(path)
    await store.write({ a: '1' })
    rmSync(join(directory, 'deep'), { recursive: true })
    writeFileSync(join(directory, 'deep'), 'a file where the directory was')
    await expect(store.write({ a: '2' })).rejects.toMatchObject({ code: 'ERR_STATE_UNWRITABLE' })
    expect(store.read('a')).toBe('1')
  })
})
