// The README's example, against a real control server and a real relay.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const PROJECT = fileURLToPath(new URL('../../../..', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const directory = mkdtempSync(join(tmpdir(), 'mesh-example-'))
const children: ChildProcess[] = []
let controlUrl = ''
let authKey = ''

beforeAll(async () => {
  const key = join(directory, 'relay.key')
  const relay = [
    '-a',
    '127.0.0.1:0',
    '--stun-port',
    '0',
    '--http-port',
    '-1',
    '-c',
    key,
    '--certmode',
    'self-signed',
  ]
  const [, region = ''] = await start('relay', relay, /DERP map region (.*)\n/)
  const { Nodes } = JSON.parse(region) as {
    Nodes: { DERPPort: number; STUNPort: number; CertName: string }[]
  }
  const [node] = Nodes
  const url = `https://127.0.0.1:${node?.DERPPort},stun=${node?.STUNPort},cert=${node?.CertName}`
  const control = ['serve', '--listen', '127.0.0.1:0', '--state-dir', directory, '--relay', url]
  ;[, controlUrl = ''] = await start('control', control, /listening on (\S+)/)
  const admin = (...args: string[]): Promise<string> =>
    run(source('control'), [...args, '--state-dir', directory])
  await admin('users', 'create', 'me')
  authKey = (await admin('preauthkeys', 'create', '--user', 'me', '--reusable')).trim()
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
})

test('two nodes in one process reach each other by name', async () => {
  const example = join(PROJECT, 'packages/net/examples/join.ts')
  expect(readFileSync(join(PROJECT, 'packages/net/README.md'), 'utf8')).toContain(
    readFileSync(example, 'utf8'),
  )
  expect(await run(example, [], { CONTROL_URL: controlUrl, MESH_AUTHKEY: authKey })).toBe('hello from bob\n')
})

function source(app: 'relay' | 'control'): string {
  return join(PROJECT, 'apps', app, 'src', `mesh-${app}.ts`)
}

function start(app: 'relay' | 'control', args: readonly string[], ready: RegExp): Promise<RegExpExecArray> {
  const child = spawn(process.execPath, [...FLAGS, source(app), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let printed = ''
  return new Promise((resolve, reject) => {
    child.on('exit', (code) => reject(new Error(`${app} ended with ${code}`)))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      const match = ready.exec(printed)
      if (match) resolve(match)
    })
  })
}

function run(file: string, args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...env }, timeout: 30_000 }
    execFile(process.execPath, [...FLAGS, file, ...args], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`))
      else resolve(stdout)
    })
  })
}
