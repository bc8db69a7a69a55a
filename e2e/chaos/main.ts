// `pnpm chaos control [--minutes M] [--store postgres|sqlite]`: three control servers on one PostgreSQL under churn, each of them and the database
// killed in turn; then one server on SQLite, killed every few seconds. Prints what was done and what was found wrong, and
// exits with 1 when anything was.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startPostgres } from '@mesh/control-server/contract'
import { Churn } from './churn.ts'
import { ControlProcess } from './control-process.ts'
import { Witness } from './witness.ts'

const CLIENTS = 200
const SERVERS = 3
/** Time between two kills, milliseconds: the next comes when everybody is back, and a little later. */
const PEACE = 8000
const SQLITE_PEACE = 3000
/** How long everything may take to come to rest after a kill. */
const REST = 60_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: String(CLIENTS) },
    store: { type: 'string' },
  },
})
if (positionals[0] !== 'control') {
  process.stderr.write('usage: pnpm chaos control [--minutes M] [--clients N] [--store postgres|sqlite]\n')
  process.exit(2)
}
const minutes = Number(values.minutes)
const clients = Number(values.clients)
let faults = 0
if (values.store !== 'sqlite') faults += await onPostgres()
if (values.store !== 'postgres') faults += await onSqlite()
console.log(`\n${faults} faults`)
process.exit(faults === 0 ? 0 : 1)

/** A thing that is killed and comes back. */
interface Victim {
  readonly name: string
  readonly kill: () => Promise<void>
  readonly start: () => Promise<void>
  /** How long it stays away, milliseconds. */
  readonly away: number
}

async function onPostgres(): Promise<number> {
  const postgres = await startPostgres()
  if (typeof postgres === 'string') {
    console.log(`three servers on PostgreSQL: skipped, ${postgres}`)
    return 0
  }
  return inFolder(async (folder) => {
    const flags = ['--database', postgres.url, '--private-key', join(folder, 'private.key')]
    const servers: ControlProcess[] = []
    for (let i = 0; i < SERVERS; i += 1) {
      const server = new ControlProcess(join(folder, String(i)), flags)
      await server.start()
      servers.push(server)
    }
    const database: Victim = {
      name: 'database',
      kill: () => postgres.kill(),
      start: () => postgres.start(),
      away: 2000,
    }
    const victims = servers.map((server, i): Victim => {
      return { name: `server ${i + 1}`, kill: () => server.kill(), start: () => server.start(), away: 1000 }
    })
    try {
      return await torment('three servers on PostgreSQL', servers, [...victims, database], PEACE)
    } finally {
      for (const server of servers) await server.kill()
      await postgres.close()
    }
  })
}

function onSqlite(): Promise<number> {
  return inFolder(async (folder) => {
    const server = new ControlProcess(join(folder, 'state'), [])
    await server.start()
    const victim = { name: 'server', kill: () => server.kill(), start: () => server.start(), away: 0 }
    try {
      return await torment('one server on SQLite', [server], [victim], SQLITE_PEACE)
    } finally {
      await server.kill()
    }
  })
}

/** Kills in turn for the given time. Returns how many faults there were. */
async function torment(
  what: string,
  servers: readonly ControlProcess[],
  victims: readonly Victim[],
  peace: number,
): Promise<number> {
  const witness = new Witness()
  const churn = new Churn(servers, witness)
  console.log(`${what}: ${clients} clients join`)
  await churn.begin(clients)
  await churn.rest(REST)
  for (const [i, server] of servers.entries())
    server.onCrash = (said) => witness.fault(`server ${i + 1} ended by itself: ${said.slice(-500)}`)
  const kills = new Map(victims.map(({ name }) => [name, 0]))
  let told = 0
  const end = Date.now() + minutes * 60_000
  for (let turn = 0; Date.now() < end; turn += 1) {
    const victim = victims[turn % victims.length] as Victim
    await sleep(peace)
    await victim.kill()
    kills.set(victim.name, (kills.get(victim.name) ?? 0) + 1)
    await sleep(victim.away)
    await victim.start()
    // Now and then everybody holds still, and everything must agree.
    if (turn % victims.length === victims.length - 1) await churn.rest(REST)
    if (turn % 8 === 7) console.log(`  ${witness.summary()}`)
    for (; told < witness.faults.length; told += 1) console.log(`  FAULT ${witness.faults[told]}`)
  }
  await churn.rest(REST)
  await churn.end()
  const killed = [...kills].map(([name, count]) => `${name} ${count} times`).join(', ')
  console.log(`${what}: killed ${killed}\n  ${witness.summary()}`)
  for (const fault of witness.faults.slice(told)) console.log(`  FAULT ${fault}`)
  return witness.faults.length
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-chaos-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
