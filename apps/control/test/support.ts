// The program as a process, in a folder of its own.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../src/mesh-control.ts', import.meta.url))
const FLAGS = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']

/** How a command ended; without the last line end of what it said. */
export interface Result {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** A server that serves. */
export interface Served {
  /** Its URL, as its ready line says it. */
  readonly url: string
  readonly child: ChildProcess
  /** Returns what it logged so far. */
  readonly log: () => string
}

/** Runs the program. */
export class Lab {
  folder = ''
  state = ''
  /** What is in the environment beside the usual. */
  env: Readonly<Record<string, string>> = {}
  readonly #children: ChildProcess[] = []

  /** Makes the folder. */
  open(): void {
    this.folder = mkdtempSync(join(tmpdir(), 'mesh-control-'))
    this.state = join(this.folder, 'state')
    this.env = {}
  }

  /** Ends what runs and removes the folder. */
  close(): void {
    for (const child of this.#children.splice(0)) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true })
  }

  /** Runs a command to its end. */
  readonly run = (...args: string[]): Promise<Result> => {
    const child = this.#launch(args)
    let [out, err] = ['', '']
    child.stdout?.on('data', (chunk) => (out += String(chunk)))
    child.stderr?.on('data', (chunk) => (err += String(chunk)))
    return new Promise((resolve) => {
      child.on('close', (code) => resolve({ code, out: out.trimEnd(), err: err.trimEnd() }))
    })
  }

  /** Runs a command that must succeed, and returns its JSON. */
  readonly ask = async (...args: string[]): Promise<unknown> => {
    const { code, out, err } = await this.run(...args, '--state-dir', this.state, '--json')
    assert.deepEqual([code, err], [0, ''])
    return JSON.parse(out)
  }

  /** Starts a server. */
  readonly serve = (...args: string[]): Promise<Served> => {
    const child = this.#launch(['serve', '--listen', '127.0.0.1:0', '--state-dir', this.state, ...args])
    let [out, err] = ['', '']
    child.stderr?.on('data', (chunk) => (err += String(chunk)))
    return new Promise((resolve, reject) => {
      child.stdout?.on('data', (chunk) => {
        out += String(chunk)
        const url = /^mesh-control listening on (https?:\/\/127\.0\.0\.1:\d+)$/m.exec(out)?.[1]
        if (url) resolve({ url, child, log: () => err })
      })
      child.on('close', () => reject(new Error(err)))
    })
  }

  #launch(args: readonly string[]): ChildProcess {
    const env = { ...process.env, ...this.env }
    const child = spawn(process.execPath, [...FLAGS, PROGRAM, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    })
    this.#children.push(child)
    return child
  }
}
