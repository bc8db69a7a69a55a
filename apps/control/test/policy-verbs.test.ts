// `mesh-control policy`, from files to the running server and back.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const PROGRAM = new URL('../src/mesh-control.ts', import.meta.url).pathname
const POLICY = '{\n  // only ann\n  "acls": [{ "action": "accept", "src": ["ann@"], "dst": ["*:22"] }],\n}\n'

let folder: string
let server: ChildProcess

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const all = [...FLAGS, PROGRAM, 'policy', ...args, '--state-dir', join(folder, 'state')]
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' })
  return { code: status, out: stdout, err: stderr }
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-policy-'))
  const args = [
    'serve',
    '--listen',
    '127.0.0.1:0',
    '--state-dir',
    join(folder, 'state'),
    '--relay',
    'https://r.example',
  ]
  server = spawn(process.execPath, [...FLAGS, PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.stdout?.on('data', (text) => String(text).includes('listening on') && resolve())
    server.on('close', () => reject(new Error('the server ended')))
  })
})

afterAll(() => {
  server.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

test('a policy is put in force and printed as it was written', () => {
  expect(run('get')).toMatchObject({
    code: 1,
    err: expect.stringContaining('everybody may reach everybody') as string,
  })
  const path = file('policy.hujson', POLICY)
  expect(run('check', '-f', path)).toMatchObject({ code: 0, out: 'The policy is valid.\n' })
  expect(run('set', '-f', path)).toMatchObject({ code: 0, out: 'Policy 1 is in force.\n' })
  expect(run('get')).toMatchObject({ code: 0, out: POLICY })
  expect(JSON.parse(run('get', '--json').out)).toMatchObject({ id: 1, policy: POLICY })
})

test('a policy that cannot be taken is refused in a sentence, and the old one stays', () => {
  const bad = file('bad.hujson', '{\n  "aclz": []\n}')
  for (const verb of ['set', 'check']) {
    const { code, err } = run(verb, '-f', bad)
    expect([code, err]).toEqual([1, 'mesh-control: line 2: unknown field "aclz".\n'])
  }
  expect(run('set', '-f', join(folder, 'nothing'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('The policy cannot be read: ENOENT') as string,
  })
})
