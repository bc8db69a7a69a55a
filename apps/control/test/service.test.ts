// The files by which systemd and containers start the program: their flags are real ones.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { program } from '../src/program.ts'

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const serve = program().commands.find((each) => each.name() === 'serve')

test('the systemd unit starts it with flags that it has', () => {
  const [, words = ''] =
    /^ExecStart=\/usr\/bin\/mesh-control serve (.*)$/m.exec(read('systemd/mesh-control.service')) ?? []
  expect(serve?.parseOptions(words.split(' ')).unknown).toEqual([])
  expect(serve?.opts()).toMatchObject({ config: '/etc/mesh-control.yaml', stateDir: '/var/lib/mesh-control' })
})

test('the container file starts it', () => {
  const file = read('Containerfile')
  expect(/^ENTRYPOINT (.*)$/m.exec(file)?.[1]).toBe('["mesh-control", "serve"]')
  const [, variable = ''] = /^ENV MESH_CONTROL_(\w+)=/m.exec(file) ?? []
  expect(serve?.options.map(({ long }) => long)).toContain(`--${variable.toLowerCase().replaceAll('_', '-')}`)
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0
if (!hasSystemd)
  console.log('skipped: what systemd says to the unit of control, because systemd-analyze is not installed')

test.skipIf(!hasSystemd)('systemd finds nothing wrong with the unit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-unit-'))
  // It looks for the program, which is not installed here.
  const unit = read('systemd/mesh-control.service').replace('/usr/bin/mesh-control', '/bin/true')
  const path = join(folder, 'mesh-control.service')
  writeFileSync(path, unit)
  const { stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  expect(stderr.split('\n').filter((line) => line.includes('mesh-control.service'))).toEqual([])
})
