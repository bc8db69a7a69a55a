// A DNS provider that is a program of the administrator's: called as `PROGRAM publish NAME TXT VALUE`, and later as
// `PROGRAM withdraw NAME TXT VALUE`. It ends with 0 when that is done and authorities can see it. Nobody's shell is in
// between, and what it is given holds no character that a shell would take for more than a letter.

import { spawn } from 'node:child_process'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import type { DnsProvider, TxtRecord } from '../certificates.ts'

/** How long one call may take, milliseconds: about as long as a client waits for its answer. */
export const DNS_HOOK_TIMEOUT = 60_000
/** The most calls at once: nodes cause them. */
const MAX_AT_ONCE = 4
/** The most of what it says that is kept, bytes. */
const MAX_OUTPUT = 64 << 10
/** The most of what it says that a message repeats, characters. */
const MAX_SHOWN = 200

/** How a hook is run. */
export interface DnsHookOptions {
  /** The program, by its whole path. */
  readonly program: string
  /** How long one call may take, milliseconds; {@link DNS_HOOK_TIMEOUT} when left out. */
  readonly timeout?: number
}

/** Returns a provider that calls a program. Its promises reject with a sentence when that fails or takes too long. */
export function dnsHook({ program, timeout = DNS_HOOK_TIMEOUT }: DnsHookOptions): DnsProvider {
  const waiting: (() => void)[] = []
  let running = 0
  const inTurn = async (verb: 'publish' | 'withdraw', record: TxtRecord): Promise<void> => {
    if (running >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve))
    else running += 1
    try {
      await call(program, [verb, record.name, 'TXT', record.value], timeout)
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
  return { publish: (record) => inTurn('publish', record), withdraw: (record) => inTurn('withdraw', record) }
}

function call(program: string, args: readonly string[], timeout: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(),
    })
    let said = ''
    let why: string | undefined
    const end = (reason: string): void => {
      why ??= reason
      if (child.pid !== undefined) kill(child.pid)
    }
    const timer = setTimeout(() => end(`it took longer than ${timeout / 1000} s`), timeout)
    const hear = (text: Buffer): void => {
      if (said.length > MAX_OUTPUT) return end('it says too much')
      said += text.toString()
    }
    for (const stream of [child.stdout, child.stderr]) stream.on('data', hear)
    child.on('error', (error) => end(`it cannot be run (${systemCodeOf(error) || reasonOf(error)})`))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0 && why === undefined) return resolve()
      const reason = why ?? (signal ? `it was ended by ${signal}` : `it ended with code ${code}`)
      const last = said.trim().split('\n').at(-1) ?? ''
      reject(new Error(`${program} ${args[0]} ${args[1]}: ${reason}${shown(last)}`))
    })
  })
}

function kill(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // It has ended meanwhile, all of it.
  }
}

function shown(said: string): string {
  const text = said
    .slice(0, MAX_SHOWN)
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, ' ')
    .trim()
  return text === '' ? '' : `: ${text}`
}

/** What it needs to log in at a DNS is in the environment; what is this server's own to know is none of its business. */
function environment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env)
  return Object.fromEntries(
    entries.filter(([name]) => !name.startsWith('MESH_CONTROL_') && name !== 'PGPASSWORD'),
  )
}
