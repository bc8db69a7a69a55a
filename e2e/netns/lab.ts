// Network namespaces: a lab makes a few, joins them by veth cables, runs programs inside, and takes everything down
// again, also when the run is interrupted. The machine's own network is never touched: no address, route or setting
// outside of what the lab made.
import {
  type ChildProcessByStdio,
  type ChildProcessWithoutNullStreams,
  execFile,
  spawn,
} from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import type { Writable } from 'node:stream'

/** What a finished program said. */
export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  readonly code: number
}

let labs = 0

/**
 * Reads names of namespaces until the lab's process closes the pipe, in whatever way it ends, and then takes down
 * those that are left, with what runs inside. The names are ours alone, so nothing else can be hit.
 */
const GUARD = `
  names=
  while read -r name; do names="$names $name"; done
  for name in $names; do
    [ -e "/run/netns/$name" ] || continue
    ip netns pids "$name" | xargs -r kill -9
    ip netns delete "$name"
  done`

/** Some namespaces and what runs in them. */
export class Lab implements AsyncDisposable {
  readonly #prefix = `mesh-${process.pid}-${(labs += 1)}`
  readonly #namespaces: Namespace[] = []
  readonly #guard: ChildProcessByStdio<Writable, null, null>
  #cables = 0

  constructor() {
    // In a session of its own, so that Ctrl-C ends the tests and not the guard.
    this.#guard = spawn('sh', ['-c', GUARD], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  }

  /** Makes a namespace with nothing but its loopback. */
  async namespace(label: string): Promise<Namespace> {
    const namespace = new Namespace(`${this.#prefix}-${label}`)
    this.#guard.stdin.write(`${namespace.name}\n`)
    await run('ip', ['netns', 'add', namespace.name])
    this.#namespaces.push(namespace)
    await namespace.run('ip', 'link', 'set', 'lo', 'up')
    return namespace
  }

  /** Joins two namespaces by a cable, with an address and prefix length at each end. Returns the interfaces' names. */
  async cable(a: Namespace, addressA: string, b: Namespace, addressB: string): Promise<[string, string]> {
    this.#cables += 1
    const name = `eth${this.#cables}`
    await run('ip', [
      'link',
      'add',
      name,
      'netns',
      a.name,
      'type',
      'veth',
      'peer',
      'name',
      name,
      'netns',
      b.name,
    ])
    for (const [end, address] of [
      [a, addressA],
      [b, addressB],
    ] as const) {
      await end.run('ip', 'address', 'add', address, 'dev', name)
      await end.run('ip', 'link', 'set', name, 'up')
    }
    return [name, name]
  }

  /** Stops what was started, then deletes the namespaces and with them their interfaces. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces) await namespace.stopAll()
    const exit = once(this.#guard, 'exit')
    this.#guard.stdin.end()
    await exit
  }
}

/** One network namespace. */
export class Namespace {
  /** Its name, as `ip netns` shows it. */
  readonly name: string
  readonly #started: Started[] = []

  constructor(name: string) {
    this.name = name
  }

  /** Runs a program to its end; throws with what it said when its exit code is not 0. */
  run(program: string, ...args: readonly string[]): Promise<RunResult> {
    return run('ip', ['netns', 'exec', this.name, program, ...args])
  }

  /** Starts a program that is stopped with the lab at the latest. */
  start(program: string, ...args: readonly string[]): Started {
    // `ip netns exec` replaces itself by the program, so this pid is the program's own.
    const started = new Started(spawn('ip', ['netns', 'exec', this.name, program, ...args]), program)
    this.#started.push(started)
    return started
  }

  /** Starts one of our own TypeScript programs, from its source. */
  startNode(file: URL, ...args: readonly string[]): Started {
    const flags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']
    return this.start(process.execPath, ...flags, file.pathname, ...args)
  }

  /** Asks everything started here to end, and waits for it. */
  async stopAll(): Promise<void> {
    await Promise.all(this.#started.splice(0).map((started) => started.stop()))
  }
}

/** A program that is running. */
export class Started {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #program: string
  #output = ''
  #exited: Promise<unknown>

  constructor(child: ChildProcessWithoutNullStreams, program: string) {
    this.#child = child
    this.#program = program
    this.#exited = once(child, 'exit')
    child.stdin.on('error', () => undefined)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => {
        this.#output += text
      })
    }
  }

  /** The process's number. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Everything said so far, errors with it. */
  get output(): string {
    return this.#output
  }

  /** Whether the process has ended. */
  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Waits until the output matches; throws with the output when the program ends first or it takes too long. */
  async waitFor(pattern: RegExp, timeout = 10_000): Promise<RegExpExecArray> {
    const end = Date.now() + timeout
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match
      if (this.ended || Date.now() > end) {
        const why = this.ended ? 'ended' : `took ${timeout} ms`
        throw new Error(`${this.#program} ${why} before it said ${String(pattern)}:\n${this.#output}`)
      }
      await new Promise<void>((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Writes a line to the program. */
  send(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Ends the program without asking it, and waits until it has. */
  async kill(): Promise<void> {
    if (this.ended) return
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Asks the program to end, after two seconds makes it, and waits until it has. */
  async stop(): Promise<void> {
    if (this.ended) return
    this.#child.kill('SIGTERM')
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 2_000)
    await this.#exited
    clearTimeout(force)
  }
}

/** Tells whether a program can be started by its name. */
export function isOnPath(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']
  return folders.some((folder) => folder !== '' && existsSync(`${folder}/${program}`))
}

/** Tries something until it returns a value, and throws when it takes too long. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T | undefined>,
  timeout = 10_000,
): Promise<T> {
  const end = Date.now() + timeout
  for (;;) {
    const value = await attempt()
    if (value !== undefined) return value
    if (Date.now() > end) throw new Error(`waited ${timeout} ms for ${what}`)
    await new Promise<void>((resolve) => setTimeout(resolve, 50))
  }
}

function run(program: string, args: readonly string[]): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: 60_000, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout, stderr, code: 0 })
      reject(
        new Error(`${program} ${args.join(' ')}: ${error.message}\n${stdout}${stderr}`, { cause: error }),
      )
    })
  })
}
