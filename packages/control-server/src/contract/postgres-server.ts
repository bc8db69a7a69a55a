// A PostgreSQL server for tests: one of the distribution's, in a folder of its own, on a port of its own, for as long as
// the test runs.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

/** A running server. */
export interface PostgresServer {
  /** Where it listens: everybody is trusted. */
  readonly url: string
  /** Kills all its processes, as a crash would. */
  kill(): Promise<void>
  /** Starts it again after {@link PostgresServer.kill}. */
  start(): Promise<void>
  /** Ends it and removes its folder. */
  close(): Promise<void>
}

const DEBIAN = '/usr/lib/postgresql'
const START_TIMEOUT = 20_000

/** Returns a server, or the reason why there is none on this machine. */
export async function startPostgres(): Promise<PostgresServer | string> {
  const bin = binaries()
  if (bin === undefined) return 'PostgreSQL is not installed (Debian: postgresql)'
  const user = whoRunsIt()
  if (typeof user === 'string') return user
  const folder = mkdtempSync(join(tmpdir(), 'mesh-postgres-'))
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'mesh', '-A', 'trust', '-E', 'UTF8', '--no-sync'],
    {
      ...user,
      cwd: folder,
      encoding: 'utf8',
    },
  )
  if (made.status !== 0) {
    rmSync(folder, { recursive: true })
    throw new Error(`initdb failed: ${made.stderr}`)
  }
  const server = new Server(bin, data, folder, user, await freePort())
  await server.start()
  return server
}

interface Runner {
  readonly uid?: number
  readonly gid?: number
}

class Server implements PostgresServer {
  readonly url: string
  readonly #command: readonly [string, readonly string[]]
  readonly #folder: string
  readonly #user: Runner
  #process: ChildProcess | undefined

  constructor(bin: string, data: string, folder: string, user: Runner, port: number) {
    this.url = `postgres://mesh@127.0.0.1:${port}/postgres`
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200']
    const flags = settings.flatMap((setting) => ['-c', setting])
    this.#command = [join(bin, 'postgres'), ['-D', data, '-p', String(port), ...flags]]
    this.#folder = folder
    this.#user = user
  }

  async start(): Promise<void> {
    this.#process = this.#spawn()
    const end = Date.now() + START_TIMEOUT
    while (!(await answers(this.url))) {
      if (Date.now() > end) throw new Error('PostgreSQL does not start')
      await new Promise((resolve) => setTimeout(resolve, 50))
      // It gives up while children of one that was killed are not quite gone.
      if (this.#process.exitCode !== null) this.#process = this.#spawn()
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  async close(): Promise<void> {
    await this.#end('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #spawn(): ChildProcess {
    const [program, args] = this.#command
    // A group of its own, so that all its processes can be killed together.
    return spawn(program, args, { ...this.#user, cwd: this.#folder, stdio: 'ignore', detached: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process ?? {}
    if (pid === undefined || exitCode !== null || signalCode !== null) return
    const gone = once(this.#process as ChildProcess, 'exit')
    process.kill(-pid, signal)
    await gone
  }
}

/** Returns the newest version's folder of programs. */
function binaries(): string | undefined {
  if (!existsSync(DEBIAN)) return undefined
  const versions = readdirSync(DEBIAN).toSorted((a, b) => Number(b) - Number(a))
  return versions
    .map((version) => join(DEBIAN, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'postgres')))
}

/** PostgreSQL refuses to run as root: then it is the user its package made. */
function whoRunsIt(): Runner | string {
  if (process.getuid?.() !== 0) return {}
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  if (uid?.status !== 0 || gid?.status !== 0)
    return 'PostgreSQL does not run as root, and there is no user postgres'
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

/** Returns a port of this machine that was free a moment ago. */
export async function freePort(): Promise<number> {
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  const { port } = holder.address() as AddressInfo
  await new Promise((resolve) => holder.close(resolve))
  return port
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}
