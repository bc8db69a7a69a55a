// `mesh-control` on a disk that gets full while it serves, and has room again.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MESH_CONTROL, ServedControl, troubleOf } from './served-control.ts'
import { SmallDisk } from './small-disk.ts'

const SIZE = '4m'

const small = new SmallDisk()
const disk = small.path
const state = join(disk, 'state')
const reason = small.mount(SIZE)
if (reason !== undefined) console.warn(`skipped: the full disk, ${reason}`)
const server = new ServedControl()

interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(...args: string[]): Promise<Result> {
  const child = spawn(process.execPath, [...MESH_CONTROL, ...args, '--state-dir', state])
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += String(chunk)))
  child.stderr.on('data', (chunk) => (err += String(chunk)))
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out: out.trimEnd(), err: err.trimEnd() }))
  })
}

/** Starts the server; the disk of its log is always full. */
async function serve(): Promise<void> {
  const log = openSync('/dev/full', 'a')
  try {
    await server.start(['--state-dir', state], log)
  } finally {
    closeSync(log)
  }
}

async function namesOf(...verb: string[]): Promise<string[]> {
  const { code, out } = await run(...verb, '--json')
  expect(code).toBe(0)
  return (JSON.parse(out) as { name: string }[]).map(({ name }) => name)
}

describe.skipIf(reason !== undefined)('a server whose disk is full', () => {
  beforeAll(serve)

  afterAll(() => server.close())

  test('refuses in a sentence what it cannot write, loses nothing that it said was done, and works again with room', {
    timeout: 120_000,
  }, async () => {
    const done = ['ann']
    expect((await run('users', 'create', 'ann')).code).toBe(0)
    const { out: key } = await run('preauthkeys', 'create', '--user', 'ann', '--reusable')
    const first = server.join('first', key)
    await server.until(() => first.connection.map !== undefined, 'the first map')

    const makeRoom = small.fill()
    let refusal: Result | undefined
    for (let i = 0; !refusal; i += 1) {
      const attempt = await run('users', 'create', `user-${i}`)
      if (attempt.code === 0) done.push(`user-${i}`)
      else refusal = attempt
    }
    expect(refusal).toEqual({
      code: 1,
      out: '',
      err: 'mesh-control: The database cannot be used: database or disk is full.',
    })
    const second = server.join('second', key)
    await server.until(() => troubleOf(second) !== undefined, 'the trouble')
    expect(troubleOf(second)).toMatch(/the server cannot do this right now/)
    expect(second.events.some(({ event }) => event === 'registered')).toBe(false)

    // Whoever is in stays in, and what only reads is answered.
    expect(first.events.filter(({ event }) => event === 'following')).toMatchObject([{ following: true }])
    expect(await namesOf('users', 'list')).toEqual(done)

    const before = readdirSync(disk)
    const backup = await run('backup', join(disk, 'network.backup'))
    expect([backup.code, backup.err]).toEqual([
      1,
      expect.stringMatching(
        /^mesh-control: .*network\.backup cannot be written: ENOSPC: no space left on device.*\.$/,
      ),
    ])
    expect(readdirSync(disk)).toEqual(before)

    makeRoom()
    await server.until(() => second.connection.map !== undefined, 'the second map')
    expect((await run('users', 'create', 'zoe')).code).toBe(0)
    done.push('zoe')
    expect((await run('backup', join(disk, 'network.backup'))).code).toBe(0)
    expect(statSync(join(disk, 'network.backup')).size).toBeGreaterThan(100)
    expect(server.isAlive).toBe(true)

    await server.kill()
    await serve()
    expect(await namesOf('users', 'list')).toEqual(done)
    expect(await namesOf('nodes', 'list')).toEqual(['first', 'second'])
    const { out } = await run('audit', 'list', '--json')
    const entries = JSON.parse(out) as { action: string; subject: string }[]
    const made = entries.filter(({ action }) => action === 'create').map(({ subject }) => subject)
    expect(made.filter((subject) => subject.startsWith('user '))).toEqual(
      done.map((name, i) => `user ${i + 1} (${name})`),
    )
    expect(made.filter((subject) => subject.startsWith('node '))).toHaveLength(2)
  })

  test('does not begin on a full disk, and says why', { timeout: 60_000 }, async () => {
    await server.kill()
    const makeRoom = small.fill()
    const { code, err } = await run('serve', '--listen', '127.0.0.1:0', '--metrics-listen', 'off')
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/^mesh-control: [^\n]*(disk is full|no space left)[^\n]*\.$/),
    ])
    makeRoom()
    await serve()
    expect(await namesOf('nodes', 'list')).toEqual(['first', 'second'])
  })
})

afterAll(() => small.remove())
