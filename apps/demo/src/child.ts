// One program run as a child process: its output kept (the tail in memory, all of it in a file), its readiness
// awaited, its end forced when it does not come by itself.
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { createWriteStream, type WriteStream } from 'node:fs'
import { guardGroup, releaseGroup } from './guard.ts'

/** How a program is started. */
export interface ChildOptions {
  /** What to call it in messages. */
  readonly name: string
  readonly program: string
  readonly args: readonly string[]
  /** File that gets everything it prints. */
  readonly logFile?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A program that failed; the message ends with the last lines it printed. */
export class ChildError extends Error {}

const TAIL_LINES = 12
/** Milliseconds between the polite and the final signal. */
const GRACE = 4000
/** Milliseconds between two looks at a child that is not ready. */
const PAUSE = 15

/** A running child process. */
export class Child {
  readonly name: string
  /** Resolves with the exit code, or the signal's name, once the process has ended. */
  readonly ended: Promise<number | string>
  readonly #process: ChildProcess
  readonly #log: WriteStream | undefined
  #lines: string[] = []
  #rest = ''
  #hasEnded = false

  constructor(options: ChildOptions) {
    this.name = options.name
    this.#log = options.logFile ? createWriteStream(options.logFile, { flags: 'a' }) : undefined
    // A group of its own: Ctrl-C at the terminal reaches the parent alone, which ends its children in order.
    this.#process = spawn(options.program, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#take(text))
    }
    const { pid } = this.#process
    if (pid !== undefined) guardGroup(pid)
    this.ended = new Promise((resolve) => {
      const end = (how: number | string): void => {
        this.#hasEnded = true
        if (pid !== undefined) releaseGroup(pid)
        this.#log?.end()
        resolve(how)
      }
      this.#process.on('error', (error) => {
        this.#take(`${error.message}\n`)
        end('not started')
      })
      this.#process.on('close', (code, signal) => end(code ?? signal ?? 'unknown'))
    })
  }

  /** The process id; `undefined` when it never started. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** True while the process runs. */
  get running(): boolean {
    return !this.#hasEnded
  }

  /** The last lines it printed. */
  get tail(): string {
    return [...this.#lines, this.#rest]
      .filter((line) => line !== '')
      .slice(-TAIL_LINES)
      .join('\n')
  }

  /** Waits until a printed line matches, and returns the match. Lines from before the call count too. */
  async printed(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    return this.until(() => {
      for (const line of this.#lines) {
        const match = pattern.exec(line)
        if (match) return match
      }
      return undefined
    }, timeoutMs)
  }

  /** Waits until `probe` gives something, asked again and again. Throws when the child ends before that. */
  async until<T>(probe: () => Promise<T | undefined> | T | undefined, timeoutMs = 30_000): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const ended = this.#hasEnded
      const found = await probe()
      if (found !== undefined) return found
      if (ended) throw this.error('ended before it was ready')
      if (Date.now() > deadline) throw this.error(`was not ready in ${timeoutMs / 1000} s`)
      await sleep(PAUSE)
    }
  }

  /** Ends the process: politely, then for good. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), GRACE)
    await this.ended
    clearTimeout(timer)
  }

  /** Sends a signal to the process and what it started. */
  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process
    if (this.#hasEnded || pid === undefined) return
    try {
      process.kill(-pid, signal)
    } catch {
      // It ended between the check and the call.
    }
  }

  /** Returns an error that tells what happened and what the program said last. */
  error(what: string): ChildError {
    const tail = this.tail
    return new ChildError(
      `${this.name} ${what}${tail ? `; it said last:\n${tail.replace(/^/gm, '    ')}` : ''}`,
    )
  }

  #take(text: string): void {
    this.#log?.write(text)
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    this.#lines = [...this.#lines, ...lines].slice(-400)
  }
}

/** What a program that ran to its end left. */
export interface Finished {
  readonly code: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end and returns what it printed. Never throws for an exit code. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string>; timeoutMs?: number } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 60_000,
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.on('error', (error) => resolve({ code: 'not started', stdout, stderr: error.message }))
    child.on('close', (code, signal) => resolve({ code: code ?? signal ?? 'unknown', stdout, stderr }))
  })
}
