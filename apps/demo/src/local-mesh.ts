// A whole mesh on one machine out of this project's own programs: a control server, a relay and any number of
// daemons, each a child process run from its sources. The demo and the system tests both stand on it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Child, ChildError, type Finished, run } from './child.ts'
import { askDaemon, type NodeStatus, type PeerStatus, type PingResult } from './local-api.ts'
import { choosePorts, type Ports } from './ports.ts'

export type { Child } from './child.ts'
export type { NodeStatus, PeerStatus, PingResult } from './local-api.ts'

/** The folder of the project. */
export const PROJECT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))

/** Flags that make Node run this project from its sources. */
export const NODE_FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']

/** How a local mesh is made. */
export interface LocalMeshOptions {
  /** Directory for state, logs and sockets; made when missing. */
  readonly directory: string
  /** Address the servers listen on and are found at. Default `127.0.0.1`. */
  readonly host?: string
  /** Interface name for real TUN devices; without it the daemons run in user space. */
  readonly tun?: string
  /** Wraps a command so that it runs somewhere else, such as in a namespace; `who` is `hub` or a daemon's name. */
  readonly wrap?: (
    who: string,
    program: string,
    args: readonly string[],
  ) => readonly [string, readonly string[]]
}

/** Ways to ping a peer. */
export type PingType = 'disco' | 'relay' | 'ICMP' | 'TSMP'

/** The longest unix socket path every system takes, in bytes. */
const LONGEST_SOCKET_PATH = 103
/** The longest path of a socket below the directory: `/control/control.sock`, with some to spare. */
const ROOM_FOR_NAMES = 30
/** An auth key made less than this long ago is used again; keys live a day. */
const KEY_FRESH_MS = 20 * 3600 * 1000

/** A control server, a relay and daemons on this machine. */
export class LocalMesh {
  readonly directory: string
  readonly host: string
  #ports: Ports | undefined
  #relayPin = ''
  readonly #options: LocalMeshOptions
  readonly #children = new Map<string, Child>()

  constructor(options: LocalMeshOptions) {
    this.#options = options
    this.directory = options.directory
    this.host = options.host ?? '127.0.0.1'
    mkdirSync(join(this.directory, 'log'), { recursive: true, mode: 0o700 })
  }

  /** Address of the control server. */
  get controlUrl(): string {
    return `http://${this.host}:${this.#ports?.control ?? 0}`
  }

  /** Address and port of the relay. */
  get relayAddress(): string {
    return `${this.host}:${this.#ports?.relay ?? 0}`
  }

  /** The file that holds the auth key for new machines. */
  get authKeyFile(): string {
    return join(this.directory, 'auth.key')
  }

  /** The child process of that name (`control`, `relay`, or a daemon's), if it was started. */
  child(name: string): Child | undefined {
    return this.#children.get(name)
  }

  /** Path of a daemon's socket. */
  socketOf(name: string): string {
    return join(this.#shortDirectory, `${name}.sock`)
  }

  /** Chooses the ports; to be called once, before anything starts. */
  async choosePorts(): Promise<Ports> {
    // Behind a wrapper the ports are another namespace's, and free there.
    const probeHost = this.#options.wrap ? '127.0.0.1' : this.host
    this.#ports = await choosePorts(join(this.directory, 'ports.json'), probeHost)
    return this.#ports
  }

  /** Starts the relay; resolves when it takes connections. It must have run once before the control server starts. */
  async startRelay(): Promise<Child> {
    const { relay, stun } = this.#needPorts()
    const args = ['-a', `${this.host}:${relay}`, '--stun-port', String(stun), '--http-port', '-1']
    const own = ['-c', join(this.directory, 'relay', 'relay.key'), '--certmode', 'self-signed']
    const child = this.#start('relay', 'hub', 'apps/relay/src/mesh-relay.ts', [...args, ...own])
    const [pin] = await child.printed(/sha256-raw:[0-9a-f]{64}/)
    this.#relayPin = pin
    return child
  }

  /** Starts the control server on its SQLite file; resolves when it answers. */
  async startControl(): Promise<Child> {
    const listen = `${this.host}:${this.#needPorts().control}`
    const args = [
      'serve',
      '--listen',
      listen,
      '--server-url',
      this.controlUrl,
      '--state-dir',
      this.#controlDirectory,
      '--relay',
      this.#relayUrl,
    ]
    const child = this.#start('control', 'hub', 'apps/control/src/mesh-control.ts', args)
    await child.printed(/^mesh-control listening on /)
    return child
  }

  /** Runs a verb of `mesh-control` against the running server, and returns what it printed. Throws when it fails. */
  async control(...args: string[]): Promise<string> {
    const done = await this.#runSource('hub', 'apps/control/src/mesh-control.ts', [
      ...args,
      '--state-dir',
      this.#controlDirectory,
    ])
    if (done.code !== 0)
      throw new ChildError(`mesh-control ${args.slice(0, 2).join(' ')}: ${done.stderr.trim()}`)
    return done.stdout.trim()
  }

  /** Makes sure that there is a user and a fresh auth key in {@link LocalMesh.authKeyFile}. Returns whether one was made. */
  async ensureAuthKey(): Promise<boolean> {
    const file = this.authKeyFile
    if (existsSync(file) && Date.now() - statSync(file).mtimeMs < KEY_FRESH_MS) return false
    const users = JSON.parse(await this.control('users', 'list', '--json')) as { name: string }[]
    if (!users.some((user) => user.name === 'demo')) await this.control('users', 'create', 'demo')
    const key = await this.control(
      'preauthkeys',
      'create',
      '--user',
      'demo',
      '--reusable',
      '--expiration',
      '24h',
    )
    writeFileSync(file, `${key}\n`, { mode: 0o600 })
    return true
  }

  /** Starts a daemon; resolves when its socket answers. Its state is kept under its name. */
  async startDaemon(name: string): Promise<Child> {
    const args = this.daemonArgs(name)
    const child = this.#start(name, name, 'apps/daemon/src/meshd.ts', args)
    await child.until(() => this.status(name).catch(() => undefined))
    return child
  }

  /** Returns the flags a daemon of that name is started with. */
  daemonArgs(name: string): string[] {
    return [
      '--tun',
      this.#options.tun ?? 'userspace-networking',
      '--state',
      join(this.directory, `${name}.state`),
      '--socket',
      this.socketOf(name),
      ...(this.#options.tun ? [] : ['--allow-loopback']),
    ]
  }

  /** Brings a daemon up under its own name, with the auth key when it has no login yet. Resolves when it runs. */
  async up(name: string): Promise<NodeStatus> {
    const known = await this.status(name)
    if (known.BackendState === 'NeedsLogin' || known.BackendState === 'Stopped') {
      const args = [
        'up',
        '--login-server',
        this.controlUrl,
        '--auth-key',
        `file:${this.authKeyFile}`,
        '--hostname',
        name,
        '--timeout',
        '30s',
      ]
      const done = await this.mesh(name, ...args)
      if (done.code !== 0) throw this.#explain(name, done.stderr.trim())
    }
    return this.untilStatus(name, (status) => status.BackendState === 'Running')
  }

  /** Runs the command line `mesh` against a daemon. Never throws for an exit code. */
  mesh(name: string, ...args: string[]): Promise<Finished> {
    return this.#runSource(name, 'apps/daemon/src/mesh.ts', ['--socket', this.socketOf(name), ...args])
  }

  /** Runs any program where a daemon of that name runs. */
  exec(who: string, program: string, ...args: string[]): Promise<Finished> {
    return run(...this.#wrapped(who, program, args))
  }

  /** Starts any program where a daemon of that name runs, and keeps it as a child of this mesh. */
  spawn(name: string, who: string, program: string, ...args: string[]): Child {
    const [wrappedProgram, wrappedArgs] = this.#wrapped(who, program, args)
    return this.#keep(
      new Child({
        name,
        program: wrappedProgram,
        args: wrappedArgs,
        cwd: PROJECT,
        logFile: join(this.directory, 'log', `${name}.log`),
      }),
    )
  }

  /** Returns a daemon's status. */
  status(name: string): Promise<NodeStatus> {
    return askDaemon(this.socketOf(name), 'GET', 'status')
  }

  /** Waits until a daemon's status is as wished. */
  async untilStatus(
    name: string,
    wished: (status: NodeStatus) => boolean,
    timeoutMs = 30_000,
  ): Promise<NodeStatus> {
    const child = this.#children.get(name)
    if (!child) throw new ChildError(`${name} was not started`)
    return child.until(async () => {
      const status = await this.status(name).catch(() => undefined)
      return status && wished(status) ? status : undefined
    }, timeoutMs)
  }

  /** Waits until a daemon sees a peer of that name online and at home at a relay, and returns it. */
  async untilPeer(name: string, peer: string, timeoutMs = 30_000): Promise<PeerStatus> {
    const find = (status: NodeStatus): PeerStatus | undefined =>
      Object.values(status.Peer ?? {}).find((one) => one.DNSName.split('.')[0] === peer)
    const isThere = (one: NodeStatus): boolean => {
      const found = find(one)
      return found?.Online === true && found.Relay !== ''
    }
    const status = await this.untilStatus(name, isThere, timeoutMs)
    return find(status) as PeerStatus
  }

  /**
   * Sends one ping from a daemon to a peer's name or address; `relay` is a disco ping through the relay alone. Pings
   * through the tunnel (ICMP, TSMP) wait `timeoutMs` for their answer.
   */
  ping(name: string, target: string, type: PingType = 'disco', timeoutMs = 10_000): Promise<PingResult> {
    const kind = type === 'relay' ? 'type=disco&over=relay' : `type=${type}`
    const path = `ping?ip=${encodeURIComponent(target)}&${kind}&timeout-ms=${timeoutMs}`
    return askDaemon(this.socketOf(name), 'POST', path)
  }

  /** Pings through the tunnel until an answer comes, and returns it. A lost ping is followed by the next one soon. */
  async untilReachable(name: string, target: string, timeoutMs = 10_000): Promise<PingResult> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const result = await this.ping(name, target, 'ICMP', 250).catch(() => undefined)
      if (result?.Err === '') return result
      if (Date.now() > deadline) {
        throw new ChildError(
          `${name} did not reach ${target} in ${timeoutMs / 1000} s: ${result?.Err ?? 'no ping'}`,
        )
      }
      await sleep(25)
    }
  }

  /** Ends every child, the daemons first. */
  async stop(): Promise<void> {
    const isServer = (child: Child): boolean => child.name === 'control' || child.name === 'relay'
    const children = [...this.#children.values()]
    await Promise.all(children.filter((child) => !isServer(child)).map((child) => child.stop()))
    await Promise.all(children.filter(isServer).map((child) => child.stop()))
    if (this.#shortDirectory !== this.directory) rmSync(this.#shortDirectory, { force: true })
  }

  /** The relay as the control server is told of it: its certificate is self-signed, and known by its hash. */
  get #relayUrl(): string {
    const { relay, stun } = this.#needPorts()
    if (this.#relayPin === '') throw new Error('startRelay() comes first')
    return `https://${this.host}:${relay},stun=${stun},cert=${this.#relayPin}`
  }

  get #controlDirectory(): string {
    return join(this.#shortDirectory, 'control')
  }

  /** The directory by a path that leaves room for a socket's name: a link in the temporary folder, if it must be. */
  get #shortDirectory(): string {
    if (Buffer.byteLength(this.directory) + ROOM_FOR_NAMES <= LONGEST_SOCKET_PATH) return this.directory
    const mark = createHash('sha256').update(this.directory).digest('hex').slice(0, 12)
    const link = join(tmpdir(), `mesh-${mark}`)
    try {
      symlinkSync(this.directory, link)
    } catch (cause) {
      if (readlinkSync(link) === this.directory) return link
      throw new ChildError(`${link} is in the way: it leads elsewhere`, { cause })
    }
    return link
  }

  #needPorts(): Ports {
    if (!this.#ports) throw new Error('choosePorts() comes first')
    return this.#ports
  }

  #start(name: string, who: string, source: string, args: readonly string[]): Child {
    return this.spawn(name, who, process.execPath, ...NODE_FLAGS, source, ...args)
  }

  #runSource(who: string, source: string, args: readonly string[]): Promise<Finished> {
    const [program, wrapped] = this.#wrapped(who, process.execPath, [
      ...NODE_FLAGS,
      join(PROJECT, source),
      ...args,
    ])
    return run(program, wrapped, { cwd: PROJECT })
  }

  #wrapped(who: string, program: string, args: readonly string[]): readonly [string, readonly string[]] {
    return this.#options.wrap?.(who, program, args) ?? [program, args]
  }

  #keep(child: Child): Child {
    this.#children.set(child.name, child)
    return child
  }

  #explain(name: string, said: string): Error {
    return this.#children.get(name)?.error(`could not be brought up: ${said}`) ?? new ChildError(said)
  }
}
