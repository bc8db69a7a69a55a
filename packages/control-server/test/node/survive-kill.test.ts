import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/node/index.ts'
import { RawMachine, until } from './raw-client.ts'

interface Child {
  readonly process: ChildProcess
  readonly url: string
  readonly keys: readonly string[]
}

const children: ChildProcess[] = []
let folder: string

async function start(port = '0'): Promise<Child> {
  const script = fileURLToPath(new URL('serve-child.ts', import.meta.url))
  const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
  const child = spawn(process.execPath, [...flags, script, folder, port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let text = ''
  for await (const chunk of child.stdout) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return { process: child, ...(JSON.parse(text) as { url: string; keys: string[] }) }
}

async function kill(child: Child): Promise<void> {
  const gone = once(child.process, 'exit')
  child.process.kill('SIGKILL')
  await gone
}

async function login(
  machine: RawMachine,
  url: string,
  key?: string,
): Promise<{ MachineAuthorized: boolean }> {
  const session = await machine.connect(url)
  session.on('error', () => undefined)
  try {
    const { body } = await machine.register(session, key === undefined ? {} : { Auth: { AuthKey: key } })
    return JSON.parse(body.toString()) as { MachineAuthorized: boolean }
  } finally {
    session.destroy()
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mesh-kill-'))
})

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

test('control 41: after SIGKILL a node finds its server, its login and its address again', async () => {
  const first = await start()
  const machine = new RawMachine()
  expect(await login(machine, first.url, first.keys[0])).toMatchObject({ MachineAuthorized: true })
  await kill(first)
  const second = await start(new URL(first.url).port)
  expect(await login(machine, second.url)).toMatchObject({ MachineAuthorized: true })
  const stream = machine.stream(await machine.connect(second.url))
  await until(() => stream.messages.length === 1, 'the snapshot')
  expect(stream.messages[0]?.Node?.Addresses).toEqual(['100.64.0.1/32', 'fd7a:115c:a1e0::40:1/128'])
})

test('control 41, threat 35: killed in the middle of registrations, the file is whole and every key used made its node', async () => {
  const child = await start()
  const logins = child.keys.map((key) => login(new RawMachine(), child.url, key).catch(() => undefined))
  await Promise.race(logins)
  await kill(child)
  const answers = await Promise.all(logins)
  const store = await openSqliteStore(join(folder, 'control.sqlite'))
  const { changes } = await store.since(0)
  const used = [...(changes.preAuthKeys?.values() ?? [])].filter((key) => key?.usedAt !== undefined)
  const nodes = [...(changes.nodes?.values() ?? [])].filter((node) => node !== undefined)
  expect(new Set(nodes.map((node) => node.preAuthKey))).toEqual(new Set(used.map((key) => key?.id)))
  expect(nodes).toHaveLength(used.length)
  expect(nodes.length).toBeGreaterThanOrEqual(answers.filter((answer) => answer?.MachineAuthorized).length)
  await store.close()
  const again = await start()
  expect(await login(new RawMachine(), again.url, again.keys[0])).toMatchObject({ MachineAuthorized: true })
})
