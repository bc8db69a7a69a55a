// The control servers to measure, ours and another, each as a process of its own on loopback with SQLite.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@mesh/acme/contract'

/** A control server that serves. */
export interface MeasuredControl {
  readonly url: string
  /** A key that lets in any number of nodes. */
  readonly authKey: string
  /** Seconds of processor time that all its threads have used since it was started last. */
  cpuSeconds(): number
  /** Bytes of memory it has resident now. */
  residentBytes(): number
  /** Kills it and starts it again. */
  restart(): Promise<void>
  close(): Promise<void>
}

const PROGRAM = new URL('../../../apps/control/src/mesh-control.ts', import.meta.url).pathname
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
/** Ticks of processor time a second, as Linux counts them for programs. */
const TICKS = 100
const PAGE = 4096
const START_TIMEOUT = 60_000

/** Starts our control server. */
export async function startOurs(): Promise<MeasuredControl> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'))
  const port = await freePort()
  const run = (...args: string[]): string =>
    output(process.execPath, [...FLAGS, PROGRAM, ...args, '--state-dir', folder])
  // A server under such a load is given room; V8's own limit is made for smaller things.
  const serve = ['--max-old-space-size=8192', ...FLAGS, PROGRAM, 'serve', '--listen', `127.0.0.1:${port}`]
  const server = new Process(
    process.execPath,
    [...serve, '--state-dir', folder],
    `http://127.0.0.1:${port}/health`,
  )
  await server.start()
  run('users', 'create', 'ann')
  const authKey = run('preauthkeys', 'create', '-u', 'ann', '--reusable').trim()
  return server.measured(`http://127.0.0.1:${port}`, authKey, folder)
}

/** Starts a headscale. */
export async function startHeadscale(program: string): Promise<MeasuredControl> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'))
  const [port, metrics, grpc] = [await freePort(), await freePort(), await freePort()]
  const at = (name: string): string => join(folder, name)
  const derp = at('derp.yaml')
  writeFileSync(
    derp,
    'regions:\n  900:\n    regionid: 900\n    regioncode: x\n    regionname: x\n    nodes: []\n',
  )
  const config = at('config.yaml')
  writeFileSync(
    config,
    JSON.stringify({
      server_url: `http://127.0.0.1:${port}`,
      listen_addr: `127.0.0.1:${port}`,
      metrics_listen_addr: `127.0.0.1:${metrics}`,
      grpc_listen_addr: `127.0.0.1:${grpc}`,
      noise: { private_key_path: at('noise.key') },
      prefixes: { v4: '100.64.0.0/10', v6: 'fd7a:115c:a1e0::/48', allocation: 'sequential' },
      derp: { server: { enabled: false }, urls: [], paths: [derp], auto_update_enabled: false },
      disable_check_updates: true,
      log: { level: 'warn' },
      database: { type: 'sqlite', sqlite: { path: at('db.sqlite') } },
      dns: { magic_dns: true, base_domain: 'mesh.test', override_local_dns: false },
      unix_socket: at('headscale.sock'),
      unix_socket_permission: '0700',
    }),
  )
  chmodSync(config, 0o600)
  const server = new Process(program, ['--config', config, 'serve'], `http://127.0.0.1:${port}/health`)
  await server.start()
  output(program, ['--config', config, 'users', 'create', 'ann'])
  const made = output(program, ['--config', config, 'preauthkeys', 'create', '--user', '1', '--reusable'])
  const authKey = /hskey-auth-[\w-]+/.exec(made)?.[0]
  if (authKey === undefined) throw new Error(`headscale printed no key: ${made}`)
  return server.measured(`http://127.0.0.1:${port}`, authKey, folder)
}

/** A program that can be started again. */
class Process {
  readonly #program: string
  readonly #args: readonly string[]
  readonly #health: string
  #child: ChildProcess | undefined
  #said = ''

  constructor(program: string, args: readonly string[], health: string) {
    this.#program = program
    this.#args = args
    this.#health = health
  }

  async start(): Promise<void> {
    const child = spawn(this.#program, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-2000)))
    const end = Date.now() + START_TIMEOUT
    for (;;) {
      if (child.exitCode !== null || Date.now() > end)
        throw new Error(`the server did not start: ${this.#said}`)
      if (
        await fetch(this.#health).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  measured(url: string, authKey: string, folder: string): MeasuredControl {
    return {
      url,
      authKey,
      cpuSeconds: () => (this.#stat(14) + this.#stat(15)) / TICKS,
      residentBytes: () => this.#stat(24) * PAGE,
      restart: async () => {
        await this.#kill()
        await this.start()
      },
      close: async () => {
        await this.#kill()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  }

  #stat(field: number): number {
    const text = readFileSync(`/proc/${this.#child?.pid}/stat`, 'utf8')
    // The name in brackets may hold anything; fields are counted behind it, from 3.
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[field - 3])
  }

  async #kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

function output(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.at(-1)}: ${stderr}`)
  return stdout
}
