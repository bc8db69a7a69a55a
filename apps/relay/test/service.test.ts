// The files by which systemd and containers start the program: their flags are real ones.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readSettings } from '../src/settings.ts'
import { scratch } from './support.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

test('the systemd unit starts it with the flags that it has, and gives it the time that draining takes', () => {
  const unit = read('systemd/mesh-relay.service')
  const [, words = ''] = /^ExecStart=\/usr\/bin\/mesh-relay (.*)$/m.exec(unit) ?? []
  using folder = scratch()
  writeFileSync(folder.file('relay.yaml'), '')
  const args = words.replace('/etc/mesh-relay.yaml', folder.file('relay.yaml')).split(' ')
  const { drainTime } = readSettings(args, '1')
  const [, seconds = ''] = /^TimeoutStopSec=(\d+)$/m.exec(unit) ?? []
  expect(Number(seconds) * 1_000).toBeGreaterThan(drainTime + 2_000)
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd)
  console.log('skipped: what systemd says to the unit, because systemd-analyze is not installed')

test.skipIf(!hasSystemd)('systemd finds nothing wrong with the unit', () => {
  using folder = scratch()
  // It looks for the program, which is not installed here.
  const unit = read('systemd/mesh-relay.service').replace('/usr/bin/mesh-relay', '/bin/true')
  writeFileSync(folder.file('mesh-relay.service'), unit)
  const { stderr } = spawnSync('systemd-analyze', ['verify', folder.file('mesh-relay.service')], {
    encoding: 'utf8',
  })
  expect(stderr.split('\n').filter((line) => line.includes('mesh-relay.service'))).toEqual([])
})

test('the container file starts it with flags that it has', () => {
  const [, json = '[]'] = /^ENTRYPOINT (.*)$/m.exec(read('Containerfile')) ?? []
  const [program, ...args] = JSON.parse(json) as string[]
  expect(program).toBe('mesh-relay')
  const settings = readSettings([...args, '--hostname', 'relay.example'], '1')
  expect(settings).toMatchObject({ secure: true, c: '/var/lib/mesh-relay/relay.json' })
})
