// `meshd` and `mesh-relay` on a disk that gets full while they run, their logs on it too, and that has room again.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { SmallDisk } from './small-disk.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const PROGRAMS = {
  control: 'apps/control/src/mesh-control.ts',
  daemon: 'apps/daemon/src/meshd.ts',
  mesh: 'apps/daemon/src/mesh.ts',
  relay: 'apps/relay/src/mesh-relay.ts',
} as const

const disk = new SmallDisk()
const reason = disk.mount('8m')
if (reason !== undefined) console.warn(`skipped: programs on a full disk, ${reason}`)
const on = (name: string): string => join(disk.path, name)
const children: ChildProcess[] = []

function program(name: keyof typeof PROGRAMS, args: readonly string[]): readonly string[] {
  return [...FLAGS, join(PROJECT, PROGRAMS[name]), ...args]
}

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a program to its end. */
function run(name: keyof typeof PROGRAMS, ...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, program(name, args))
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out: out.trimEnd(), err: err.trimEnd() }))
  })
}

/** Starts a program whose every word goes to a file on the disk. */
function start(name: keyof typeof PROGRAMS, ...args: string[]): ChildProcess {
  const log = openSync(on(`${name}.log`), 'a')
  const child = spawn(process.execPath, program(name, args), { stdio: ['ignore', log, log] })
  closeSync(log)
  children.push(child)
  return child
}

function logOf(name: keyof typeof PROGRAMS): string {
  return readFileSync(on(`${name}.log`), 'utf8')
}

async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = performance.now() + 40_000; performance.now() < end; ) {
    const found = await look()
    if (found !== undefined) return found
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`timed out: ${what}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.kill('SIGTERM')
  await ended
}

function isUp({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

describe.skipIf(reason !== undefined)('on a full disk', () => {
  afterEach(async () => {
    await Promise.all(children.splice(0).map(stop))
  })

  test('a node stays in the mesh, says what it cannot keep, loses nothing that it kept, and begins again', {
    timeout: 120_000,
  }, async () => {
    start(
      'control',
      'serve',
      '--listen',
      '127.0.0.1:0',
      '--metrics-listen',
      'off',
      '--state-dir',
      on('control'),
    )
    const url = await until('control', () => /listening on (http:\S+)/.exec(logOf('control'))?.[1])
    const control = (...args: string[]): Promise<Ended> =>
      run('control', ...args, '--state-dir', on('control'))
    await control('users', 'create', 'ann')
    const { out: key } = await control('preauthkeys', 'create', '--user', 'ann')
    const socket = on('meshd.sock')
    const flags = ['--tun', 'userspace-networking', '--statedir', on('node'), '--socket', socket]
    const mesh = (...args: string[]): Promise<Ended> => run('mesh', '--socket', socket, ...args)
    let daemon = start('daemon', ...flags)
    const up = await until('the daemon', async () => {
      const ended = await mesh('up', '--login-server', url, '--auth-key', key)
      return ended.code === 0 ? ended : undefined
    })
    expect(up.err).toBe('')
    const running = async (): Promise<true | undefined> => {
      const { code, out } = await mesh('status', '--json')
      return (
        (code === 0 && (JSON.parse(out) as { BackendState: string }).BackendState === 'Running') || undefined
      )
    }
    await until('the mesh', running)
    const stateFile = join(on('node'), 'meshd.state')
    const before = readFileSync(stateFile, 'utf8')

    const makeRoom = disk.fill()
    const refused = await mesh('set', '--hostname', 'other')
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/^The state file [^\n]*meshd\.state cannot be written \(ENOSPC\)\.$/),
    ])
    await running()
    expect([isUp(daemon), readFileSync(stateFile, 'utf8')]).toEqual([true, before])
    expect(readdirSync(on('node')).filter((name) => name.endsWith('.tmp'))).toEqual([])

    await stop(daemon)
    daemon = start('daemon', ...flags)
    await until('the mesh, begun on a full disk', running)
    expect([isUp(daemon), readFileSync(stateFile, 'utf8')]).toEqual([true, before])

    makeRoom()
    expect((await mesh('set', '--hostname', 'other')).code).toBe(0)
    expect(readFileSync(stateFile, 'utf8')).toContain('other')
    expect((await mesh('down')).code).toBe(0)
    await stop(daemon)
    expect(logOf('daemon')).toContain('state Stopped')
  })

  test('a relay goes on with its key and certificate, and speaks again when there is room', {
    timeout: 60_000,
  }, async () => {
    const flags = ['-a', '127.0.0.1:0', '--stun=false', '--http-port', '-1', '-c', on('relay.key')]
    const secure = ['--certmode', 'self-signed', '--certdir', on('certificates'), '--hostname', '127.0.0.1']
    const relay = start('relay', ...flags, ...secure)
    await until('the relay', () => /DERP map region/.exec(logOf('relay')) ?? undefined)
    const kept = [
      on('relay.key'),
      ...readdirSync(on('certificates')).map((name) => join(on('certificates'), name)),
    ]
    const before = kept.map((path) => readFileSync(path, 'utf8'))

    const makeRoom = disk.fill()
    for (let i = 0; i < 20; i += 1) {
      relay.kill('SIGHUP')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(isUp(relay)).toBe(true)
    const full = logOf('relay')
    const fresh = await run('relay', ...flags.slice(0, -1), on('other.key'))
    expect([fresh.code, fresh.err]).toEqual([
      1,
      expect.stringMatching(/^mesh-relay: The key file [^\n]*other\.key cannot be used: ENOSPC[^\n]*\.$/),
    ])
    expect(readdirSync(disk.path).filter((name) => name.startsWith('other'))).toEqual([])
    expect(kept.map((path) => readFileSync(path, 'utf8'))).toEqual(before)

    makeRoom()
    relay.kill('SIGHUP')
    await until('its word', () => (logOf('relay').length > full.length ? true : undefined))
    await stop(relay)
    expect(relay.exitCode).toBe(0)
  })
})

afterAll(() => disk.remove())
