// A WireGuard interface that `wg` steers, whichever program it is: ours or wireguard-go. Tests and the interop table start
// both ends of a tunnel with it in the same words.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateKeys } from '@mesh/wireguard/node'
import { eventually, type Lab, type Namespace, type Started } from './lab.ts'

/** Our program in the shape of wireguard-go's command line. */
export const OURS = fileURLToPath(new URL('programs/wireguard', import.meta.url))

/** How an interface is started. */
export interface WgSideOptions {
  /** The port to listen at. */
  readonly port: number
  /** The last number of its addresses: 10.9.0.N and fd00:9::N inside. */
  readonly number: number
  /** 1420 when left out. */
  readonly mtu?: number
  /** Who moves the packets of ours; `linux` when left out. */
  readonly filling?: 'linux' | 'portable'
}

let started = 0

/** One end. */
export class WgSide {
  readonly namespace: Namespace
  readonly process: Started
  readonly name: string
  readonly publicKey: string
  readonly options: WgSideOptions

  private constructor(
    namespace: Namespace,
    process: Started,
    name: string,
    publicKey: string,
    options: WgSideOptions,
  ) {
    this.namespace = namespace
    this.process = process
    this.name = name
    this.publicKey = publicKey
    this.options = options
  }

  /** Starts a program and gives it a key, a port and addresses. */
  static async start(namespace: Namespace, program: string, options: WgSideOptions): Promise<WgSide> {
    started += 1
    const name = `wg${process.pid % 100_000}x${started}`
    const { port, number, mtu = 1420, filling = 'linux' } = options
    const environment = ['LOG_LEVEL=verbose', `MESH_FILLING=${filling}`]
    const running = namespace.start('env', ...environment, program, '-f', name)
    await eventually(
      `${program} to listen`,
      async () => {
        if (running.ended) throw new Error(`${program} ended:\n${running.output}`)
        return existsSync(`/var/run/wireguard/${name}.sock`) || undefined
      },
      30_000,
    )
    const { privateKey, publicKey } = generateKeys()
    const side = new WgSide(namespace, running, name, publicKey, options)
    await withSecret(privateKey, (file) => side.set('listen-port', `${port}`, 'private-key', file))
    await namespace.run('ip', 'address', 'add', `10.9.0.${number}/24`, 'dev', name)
    await namespace.run('ip', 'address', 'add', `fd00:9::${number}/64`, 'dev', name, 'nodad')
    await namespace.run('ip', 'link', 'set', name, 'mtu', `${mtu}`, 'up')
    return side
  }

  /** Its addresses inside. */
  get overlay(): string {
    return `10.9.0.${this.options.number}`
  }

  get overlay6(): string {
    return `fd00:9::${this.options.number}`
  }

  /** Runs `wg set` on it. */
  async set(...settings: readonly string[]): Promise<void> {
    await this.namespace.run('wg', 'set', this.name, ...settings)
  }

  /** Tells it of another, with an endpoint or without. */
  async setPeer(peer: WgSide, endpoint?: string, ...more: readonly string[]): Promise<void> {
    const where = endpoint === undefined ? [] : ['endpoint', endpoint]
    const allowed = `${peer.overlay}/32,${peer.overlay6}/128`
    await this.set('peer', peer.publicKey, 'allowed-ips', allowed, ...where, ...more)
  }

  /** Returns what `wg show NAME WHAT` says of its first peer. */
  async show(what: 'endpoints' | 'latest-handshakes' | 'transfer' | 'preshared-keys'): Promise<string> {
    const { stdout } = await this.namespace.run('wg', 'show', this.name, what)
    return stdout.split('\n')[0]?.split('\t').slice(1).join(' ') ?? ''
  }

  /** Pings and returns how many answers came. */
  async ping(to: string, count: number, ...more: readonly string[]): Promise<number> {
    const args = ['-c', `${count}`, '-i', '0.05', '-W', '2', ...more, to]
    const { stdout } = await this.namespace.run('sh', '-c', 'ping "$@" || true', 'sh', ...args)
    return Number(/(\d+) received/.exec(stdout)?.[1] ?? 0)
  }
}

/** Runs something with a secret in a file of its own, since an argument would show it to everybody on the machine. */
export async function withSecret(secret: string, use: (file: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mesh-wg-'))
  try {
    writeFileSync(join(folder, 'key'), `${secret}\n`, { mode: 0o600 })
    await use(join(folder, 'key'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Two namespaces with a cable between them: 192.0.2.1 and .2, 2001:db8::1 and ::2. */
export async function cabled(lab: Lab): Promise<readonly [Namespace, Namespace]> {
  const pair = [await lab.namespace('here'), await lab.namespace('there')] as const
  const [name] = await lab.cable(pair[0], '192.0.2.1/24', pair[1], '192.0.2.2/24')
  for (const [index, namespace] of pair.entries()) {
    await namespace.run('ip', 'address', 'add', `2001:db8::${index + 1}/64`, 'dev', name, 'nodad')
  }
  return pair
}
