// Starts the program as a person would, and reads what it says.
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { RelayRegion } from '@mesh/derp-client'

const PROGRAM = fileURLToPath(new URL('../src/mesh-relay.ts', import.meta.url))

/** How a run ended. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function start(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): ChildProcessByStdio<null, Readable, Readable> {
  const nodeArgs = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning', PROGRAM, ...args]
  const env = { ...process.env, ...environment }
  return spawn(process.execPath, nodeArgs, { stdio: ['ignore', 'pipe', 'pipe'], env })
}

/** Runs the program to its end. */
export async function run(...args: string[]): Promise<Finished> {
  const child = start(args)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString()
  })
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString()
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** A program that said it is ready. */
export interface Serving extends AsyncDisposable {
  readonly url: string
  /** Where its pages for this machine are, when it has any. */
  readonly pages: string
  readonly port: number
  readonly stunPort: number
  readonly region: RelayRegion
  readonly stdout: string
  /** Waits until the program has said this on stderr. */
  heard(words: RegExp): Promise<void>
  /** Sends a signal and waits until the program says this on stderr. */
  tell(signal: NodeJS.Signals, answer: RegExp): Promise<void>
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | null>
}

/** Starts the program and waits for its two lines. */
export function startServing(...args: string[]): Promise<Serving> {
  return startServingIn({}, ...args)
}

/** The same with more in its environment. */
export async function startServingIn(environment: NodeJS.ProcessEnv, ...args: string[]): Promise<Serving> {
  const child = start(args, environment)
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString()
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString()
      if (stdout.split('\n').length > 2) resolve()
    })
    void closed.then(([code]) => reject(new Error(`exit code ${code}: ${stderr}`)))
  })
  const [ready = '', mapLine = ''] = stdout.split('\n')
  const [, url = '', port = '', stun = '0'] =
    /^mesh-relay listening on (https?:\/\/.+:(\d+)), (?:no STUN|STUN on udp\/(\d+))$/.exec(ready) ?? []
  const region = JSON.parse(mapLine.replace('mesh-relay DERP map region ', '')) as RelayRegion
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal)
    const [code] = await closed
    return code
  }
  const heard = async (words: RegExp): Promise<void> => {
    while (!words.test(stderr)) await once(child.stderr, 'data')
  }
  if (args.includes('--metrics-listen')) await heard(/counters at/)
  return {
    url,
    pages: /counters at (http:.+)\/metrics/.exec(stderr)?.[1] ?? '',
    port: Number(port),
    stunPort: Number(stun),
    region,
    stdout,
    heard,
    async tell(signal, answer) {
      stderr = ''
      child.kill(signal)
      await heard(answer)
    },
    end,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
    },
  }
}

/** Returns a directory of this test's own, removed with the test. */
export function scratch(): Disposable & { readonly path: string; file(name: string): string } {
  const path = mkdtempSync(join(tmpdir(), 'mesh-relay-'))
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}
