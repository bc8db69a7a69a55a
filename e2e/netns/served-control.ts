// `mesh-control` as a process on a disk that gets full, and nodes that log in to it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { ControlEvent } from '@mesh/control-client'
import { type ControlConnection, connectControl } from '@mesh/control-client/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'

const PATIENCE = 45_000
/** What Node takes to run the program from its source. */
export const MESH_CONTROL = [
  '--conditions=@mesh/source',
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(new URL('../../apps/control/src/mesh-control.ts', import.meta.url)),
] as const

/** A node, and all that was told of it. */
export interface JoinedNode {
  readonly connection: ControlConnection
  readonly events: readonly ControlEvent[]
}

/** One server, which can be killed and started again, and its nodes. */
export class ServedControl {
  readonly #connections: ControlConnection[] = []
  #process: ChildProcess | undefined
  #url = ''
  /** What it has logged, where its log is read. */
  log = ''

  /** Where it listens. */
  get url(): string {
    return this.#url
  }

  get isAlive(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null
  }

  /**
   * Starts it on a port of its own.
   *
   * @param log - Where it logs to: an open file, or a pipe that is read into {@link ServedControl.log}.
   */
  async start(flags: readonly string[], log: number | 'pipe' = 'pipe'): Promise<void> {
    const args = ['serve', '--listen', '127.0.0.1:0', '--metrics-listen', 'off', ...flags]
    const server = spawn(process.execPath, [...MESH_CONTROL, ...args], { stdio: ['ignore', 'pipe', log] })
    this.#process = server
    server.stderr?.on('data', (chunk) => (this.log += String(chunk)))
    let said = ''
    this.#url = await new Promise((resolve, reject) => {
      server.stdout?.on('data', (chunk) => {
        said += String(chunk)
        const found = /listening on (http:\S+)/.exec(said)?.[1]
        if (found) resolve(found)
      })
      server.on('close', () => reject(new Error(`the server ended: ${this.log}`)))
    })
  }

  /** Ends it without a chance to write anything. */
  async kill(): Promise<void> {
    if (!this.isAlive || !this.#process) return
    const ended = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await ended
  }

  /** Logs a new node in. */
  join(hostname: string, authKey: string): JoinedNode {
    const events: ControlEvent[] = []
    const connection = connectControl({
      serverUrl: this.#url,
      machineKey: generatePrivateKey(systemRandom),
      nodeKey: generatePrivateKey(systemRandom),
      discoKey: `discokey:${Buffer.from(publicKeyOf(generatePrivateKey(systemRandom))).toString('hex')}`,
      hostinfo: { OS: 'linux', Hostname: hostname },
      authKey,
      onEvent: (event) => events.push(event),
    })
    this.#connections.push(connection)
    return { connection, events }
  }

  /** Waits until something is so. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const end = performance.now() + PATIENCE
    while (!condition()) {
      if (performance.now() > end) throw new Error(`timed out: ${what}\n${this.log}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  /** Lets go of the nodes and ends the server. */
  async close(): Promise<void> {
    for (const connection of this.#connections) await connection.close()
    await this.kill()
  }
}

/** What the first trouble of a node was. */
export function troubleOf({ events }: JoinedNode): string | undefined {
  const trouble = events.find((event) => event.event === 'trouble')
  return trouble?.event === 'trouble' ? trouble.error.message : undefined
}
