// Runs the daemon, the command line and the control server as a user would: as processes, from their sources.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']

const SOURCES = {
  mesh: 'apps/daemon/src/mesh.ts',
  meshd: 'apps/daemon/src/meshd.ts',
  'mesh-control': 'apps/control/src/mesh-control.ts',
} as const

const commandOf = (source: string): string => [process.execPath, ...FLAGS, join(PROJECT, source)].join(' ')

/** The daemon, and the command line, as a shell would start them. */
export const MESHD_COMMAND = commandOf(SOURCES.meshd)
export const MESH_COMMAND = commandOf(SOURCES.mesh)

type Program = keyof typeof SOURCES

/** What a program that ended left. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running program. */
export interface Running {
  /** Waits until it has printed something that matches, on either stream, and returns the match. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when it has ended. */
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
}

/** Programs and files of one test; all of it goes with {@link Workshop.close}. */
export class Workshop {
  readonly directory = mkdtempSync(join(tmpdir(), 'mesh-cli-'))
  readonly #children: ChildProcess[] = []
  readonly #ends: Promise<Ended>[] = []

  /** A path in the test's own directory. */
  path(name: string): string {
    return join(this.directory, name)
  }

  /** Starts a program with these arguments. */
  start(program: Program, args: readonly string[], options: { uid?: number } = {}): Running {
    const child = spawn(process.execPath, [...FLAGS, join(PROJECT, SOURCES[program]), ...args], {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    })
    const text = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (part: string) => {
        text[name] += part
      })
    }
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code) => resolve({ code, ...text }))
    })
    this.#children.push(child)
    this.#ends.push(ended)
    const printed = async (pattern: RegExp): Promise<RegExpExecArray> => {
      for (;;) {
        const match = pattern.exec(text.stdout + text.stderr)
        if (match) return match
        if (child.exitCode !== null) throw new Error(`${program} ended: ${text.stderr}`)
        await sleep(20)
      }
    }
    return { printed, ended, kill: (signal) => void child.kill(signal) }
  }

  /** Runs a program to its end. */
  run(program: Program, ...args: string[]): Promise<Ended> {
    return this.start(program, args).ended
  }

  /** Starts a daemon in user space that answers on `socket`, and waits until it does. */
  async daemon(socket: string, ...args: string[]): Promise<Running> {
    const flags = ['--tun=userspace-networking', '--allow-loopback', '--socket', socket]
    const daemon = this.start('meshd', [...flags, '--state', this.path('meshd.state'), ...args])
    await daemon.printed(/meshd is ready/)
    return daemon
  }

  /** Ends everything. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all(this.#ends)
    rmSync(this.directory, { recursive: true, force: true })
  }
}
