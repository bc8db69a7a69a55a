// The file by which systemd starts the daemon.
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MESHD_COMMAND, Workshop } from './support.ts'

const UNIT = readFileSync(new URL('../systemd/meshd.service', import.meta.url), 'utf8')

let shop: Workshop
beforeEach(() => {
  shop = new Workshop()
})
afterEach(() => shop.close())

test('the systemd unit leaves the daemon the privileges that it needs', async ({ skip }) => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) skip('needs root and a network namespace')
  const [, kept = ''] = /^CapabilityBoundingSet=(.*)$/m.exec(UNIT) ?? []
  const bounds = kept.split(' ').map((each) => `+${each.toLowerCase().replace('cap_', '')}`)
  const privileges = ['--bounding-set', ['-all', ...bounds].join(), '--no-new-privs']
  const files = ['--socket', shop.path('s'), '--state', shop.path('state')]
  const meshd = [...MESHD_COMMAND.split(' '), ...files, '--tun=mesh7']
  const child = spawn('unshare', ['-n', 'setpriv', ...privileges, ...meshd], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  for await (const text of child.stderr.setEncoding('utf8')) {
    said += String(text)
    if (said.includes('meshd is ready')) break
  }
  child.kill()
  expect(said).toContain('meshd is ready')
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd)
  console.log('skipped: what systemd says to the unit, because systemd-analyze is not installed')

test.skipIf(!hasSystemd)('systemd finds nothing wrong with the unit', () => {
  // It looks for the program, which is not installed here.
  writeFileSync(shop.path('meshd.service'), UNIT.replaceAll('/usr/bin/meshd', '/bin/true'))
  const { stderr } = spawnSync('systemd-analyze', ['verify', shop.path('meshd.service')], {
    encoding: 'utf8',
  })
  expect(stderr.split('\n').filter((line) => line.includes('meshd.service'))).toEqual([])
})
