// The lock of the state file.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockState } from '../src/state-lock.ts'
import { Workshop } from './support.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-lock-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

test('is held by one, and free again when it is let go', async () => {
  const path = join(directory, 'deep', 'meshd.state')
  const lock = await lockState(path)
  expect(statSync(`${path}.lock`).mode & 0o777).toBe(0o600)
  await expect(lockState(path)).rejects.toThrow(/^Another meshd uses the state file .*\.$/)
  expect(readdirSync(join(directory, 'deep'))).toEqual(['meshd.state.lock'])
  lock.release()
  ;(await lockState(path)).release()
})

test('says in one sentence that a place cannot be used', async () => {
  writeFileSync(join(directory, 'file'), '')
  await expect(lockState(join(directory, 'file', 'meshd.state'))).rejects.toThrow(/^The state file .*\.$/)
})

test('keeps a second daemon off, and is gone with a daemon that was killed', async () => {
  const shop = new Workshop()
  try {
    const first = await shop.daemon(shop.path('a.sock'))
    const args = ['--tun=userspace-networking', '--state', shop.path('meshd.state')]
    const second = await shop.run('meshd', ...args, '--socket', shop.path('b.sock'))
    expect(second.code).toBe(1)
    expect(second.stderr.trim()).toMatch(/^meshd: Another meshd uses the state file .*\.$/)
    expect(existsSync(shop.path('b.sock'))).toBe(false)
    first.kill('SIGKILL')
    await first.ended
    await shop.daemon(shop.path('b.sock'))
  } finally {
    await shop.close()
  }
})
