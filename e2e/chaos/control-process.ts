// A control server as a process that can be killed and started again, on the same port.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { join } from 'node:path'

const PROGRAM = new URL('../../apps/control/src/mesh-control.ts', import.meta.url).pathname
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
const START_TIMEOUT = 60_000

/** One server. */
export class ControlProcess {
  readonly #folder: string
  readonly #flags: readonly string[]
  /** Is told what a server said that ended by itself. */
  onCrash: (said: string) => void = () => undefined
  #port = 0
  #child: ChildProcess | undefined

  constructor(folder: string, flags: readonly string[]) {
    this.#folder = folder
    this.#flags = flags
  }

  /** Where it listens. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Starts it, again and again until it stays: its database may still be on its way. */
  async start(): Promise<void> {
    const end = Date.now() + START_TIMEOUT
    for (;;) {
      const said = await this.#startOnce()
      if (said === undefined) return
      if (Date.now() > end) throw new Error(`the server does not start: ${said}`)
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
  }

  /** Kills it. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Does an administrator's command. Rejects when it is refused or nobody is there. */
  admin(command: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const socketPath = join(this.#folder, 'control.sock')
      const call = request({
        socketPath,
        path: '/api/v1/command',
        method: 'POST',
        headers: { Host: 'mesh-control.local' },
      })
      call.on('error', reject)
      call.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.on('error', reject)
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(new Error(text))
          resolve((JSON.parse(text) as { result: unknown }).result)
        })
      })
      call.end(JSON.stringify(command))
    })
  }

  /** Returns what it said when it ended at once, or nothing when it serves. */
  async #startOnce(): Promise<string | undefined> {
    const args = ['serve', '--listen', `127.0.0.1:${this.#port}`, '--state-dir', this.#folder, ...this.#flags]
    const child = spawn(process.execPath, [...FLAGS, PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)))
    const ready = new Promise<string | undefined>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(chunk.toString())?.[1]
        if (port === undefined) return
        this.#port = Number(port)
        resolve(undefined)
        child.on('exit', (_code, signal) => signal === 'SIGKILL' || this.onCrash(said))
      })
      child.on('exit', () => resolve(said))
    })
    return ready
  }
}
