// `mesh-control` whose PostgreSQL runs out of disk while it serves, and has room again: the tables lie on a small tmpfs.
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@mesh/control-server/contract'
import { ADMIN_PATH } from '@mesh/control-server/node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type JoinedNode, MESH_CONTROL, ServedControl, troubleOf } from './served-control.ts'
import { SmallDisk } from './small-disk.ts'

/** A new database takes about half of it. */
const SIZE = '24m'

const disk = new SmallDisk()
const reason = disk.mount(SIZE)
const postgres = reason === undefined ? await startPostgres() : reason
if (typeof postgres === 'string') console.warn(`skipped: the full disk of PostgreSQL, ${postgres}`)
const state = mkdtempSync(join(tmpdir(), 'mesh-state-'))
const server = new ServedControl()
let database = ''
let apiKey = ''

/** Makes a database whose tables are on the small disk. Returns its URL. */
function databaseOnDisk(of: string): string {
  const ask = (sql: string): string => execFileSync('psql', [of, '-Atc', sql], { encoding: 'utf8' }).trim()
  const { uid, gid } = statSync(ask('SHOW data_directory'))
  const tables = join(disk.path, 'tables')
  mkdirSync(tables)
  chownSync(tables, uid, gid)
  ask(`CREATE TABLESPACE small LOCATION '${tables}'`)
  ask('CREATE DATABASE small TABLESPACE small')
  return of.replace(/postgres$/, 'small')
}

async function serve(): Promise<void> {
  await server.start(['--state-dir', state, '--database', database])
}

interface Answer {
  readonly status: number
  readonly result: unknown
  readonly detail: string | undefined
}

async function command(fields: object): Promise<Answer> {
  const headers = { Authorization: `Bearer ${apiKey}` }
  const body = JSON.stringify(fields)
  const response = await fetch(server.url + ADMIN_PATH, { method: 'POST', headers, body })
  const { result, detail } = (await response.json()) as Answer
  return { status: response.status, result, detail }
}

async function namesOf(verb: string, field: string): Promise<string[]> {
  const { result } = await command({ verb })
  return (result as Record<string, string>[]).map((record) => record[field] ?? '')
}

describe.skipIf(typeof postgres === 'string')('a server whose PostgreSQL has no room', () => {
  beforeAll(async () => {
    if (typeof postgres === 'string') return
    database = databaseOnDisk(postgres.url)
    await serve()
    const create = [...MESH_CONTROL, 'apikeys', 'create', '--state-dir', state]
    apiKey = execFileSync(process.execPath, create, { encoding: 'utf8' }).trim()
  }, 60_000)

  afterAll(() => server.close())

  test('refuses in a sentence what cannot be written, loses nothing that it said was done, and works again with room', {
    timeout: 120_000,
  }, async () => {
    const users = ['ann']
    expect((await command({ verb: 'users create', name: 'ann' })).status).toBe(200)
    const { result } = await command({ verb: 'preauthkeys create', user: 'ann', reusable: true })
    const { key } = result as { key: string }
    const nodes = ['first']
    const first = server.join('first', key)
    await server.until(() => first.connection.map !== undefined, 'the first map')

    const makeRoom = disk.fill()
    let refusal: Answer | undefined
    for (let i = 0; !refusal; i += 1) {
      const answer = await command({ verb: 'users create', name: `user-${i}` })
      if (answer.status === 200) users.push(`user-${i}`)
      else refusal = answer
    }
    expect(refusal).toEqual({
      status: 503,
      result: undefined,
      detail: expect.stringMatching(
        /^The database cannot be used: could not extend file "[^"]+": No space left on device.*\.$/,
      ) as unknown,
    })
    // Rows that are there have some room left for others beside them, but not for long.
    let late: JoinedNode | undefined
    for (let i = 0; !late; i += 1) {
      const node = server.join(`late-${i}`, key)
      nodes.push(`late-${i}`)
      await server.until(
        () => node.connection.map !== undefined || troubleOf(node) !== undefined,
        'an answer',
      )
      if (node.connection.map === undefined) late = node
    }
    expect(troubleOf(late)).toMatch(/the server cannot do this right now/)
    await server.until(() => server.log.includes('No space left on device'), 'a word in the log')

    // Whoever is in stays in, and what only reads is answered.
    expect(first.events.filter(({ event }) => event === 'following')).toMatchObject([{ following: true }])
    expect(await namesOf('users list', 'name')).toEqual(users)

    makeRoom()
    await server.until(() => late?.connection.map !== undefined, 'the map of the one that was refused')
    expect((await command({ verb: 'users create', name: 'zoe' })).status).toBe(200)
    users.push('zoe')
    expect(first.events.filter(({ event }) => event === 'following')).toHaveLength(1)
    expect(server.isAlive).toBe(true)

    await server.kill()
    await serve()
    expect(await namesOf('users list', 'name')).toEqual(users)
    expect(await namesOf('nodes list', 'givenName')).toEqual(nodes)
    const { result: audit } = await command({ verb: 'audit list', limit: 10_000 })
    const made = (audit as { action: string; subject: string }[]).filter(({ action }) => action === 'create')
    expect(made.filter(({ subject }) => subject.startsWith('user ')).map(({ subject }) => subject)).toEqual(
      users.map((name, i) => `user ${i + 1} (${name})`),
    )
    expect(made.filter(({ subject }) => subject.startsWith('node '))).toHaveLength(nodes.length)
  })
})

afterAll(async () => {
  if (typeof postgres !== 'string') await postgres.close()
  disk.remove()
  rmSync(state, { recursive: true })
})
