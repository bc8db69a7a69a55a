// The relays to measure, ours and another, each as a process of its own on loopback with TLS and nothing else.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@mesh/acme/contract'

/** A relay that serves. */
export interface MeasuredRelay {
  readonly port: number
  /** Seconds of processor time that all its threads have used so far. */
  cpuSeconds(): number
  /** Bytes of memory it has resident now. */
  residentBytes(): number
  close(): Promise<void>
}

const ROOT = new URL('../../../', import.meta.url).pathname
const PROGRAM = join(ROOT, 'apps/relay/dist/mesh-relay.js')

/** Ticks of processor time a second, as Linux counts them for programs. */
const TICKS = 100
const PAGE = 4096

/** How a relay is started. */
export interface StartOptions {
  readonly flags?: readonly string[]
  /** Whether the load has more right to the processor. */
  readonly nice?: boolean
}

/** Starts our relay, as it is published. */
export async function startOurs({ flags = [], nice = false }: StartOptions = {}): Promise<MeasuredRelay> {
  buildOurs()
  const port = await freePort()
  const args = [
    '--dev',
    '--a',
    `127.0.0.1:${port}`,
    '--certmode=self-signed',
    '--http-port=-1',
    '--stun=false',
  ]
  return measured(start(process.execPath, [PROGRAM, ...args, ...flags], nice), port, undefined)
}

function buildOurs(): void {
  const turbo = join(ROOT, 'node_modules/.bin/turbo')
  const build = ['run', 'build', '--filter=@mesh/relay', '--output-logs=errors-only']
  const { status, stderr } = spawnSync(turbo, build, { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`our relay cannot be built: ${stderr}`)
}

/** What `apps/relay/systemd/mesh-relay.service` sets. */
const ENVIRONMENT = { ...process.env, MALLOC_MMAP_THRESHOLD_: '60000' }

// By a program of its own: what is asked of a process that runs does not hold for its threads.
function start(program: string, args: readonly string[], nice: boolean): ChildProcess {
  const options = { env: ENVIRONMENT }
  return nice ? spawn('nice', ['-n', '10', program, ...args], options) : spawn(program, args, options)
}

/** Starts a derper. */
export async function startDerper(
  program: string,
  { nice = false }: StartOptions = {},
): Promise<MeasuredRelay> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'mesh-bench-'))
  const tls = [
    '-certmode=manual',
    `-certdir=${folder}`,
    '-hostname=127.0.0.1',
    '-http-port=-1',
    '-stun=false',
  ]
  const args = [`-a=127.0.0.1:${port}`, `-c=${join(folder, 'derper.json')}`, ...tls]
  const child = start(program, args, nice)
  return measured(child, port, folder)
}

async function measured(
  child: ChildProcess,
  port: number,
  folder: string | undefined,
): Promise<MeasuredRelay> {
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => {
      said = (said + text.toString()).slice(-2_000)
    })
  }
  const exited = once(child, 'exit')
  await answering(port, () => {
    if (child.exitCode !== null) throw new Error(`the relay ended: ${said}`)
  })
  const stat = (field: number): number => {
    const text = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
    // The name in brackets may hold anything; fields are counted behind it, from 3.
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[field - 3])
  }
  return {
    port,
    cpuSeconds: () => (stat(14) + stat(15)) / TICKS,
    residentBytes: () => stat(24) * PAGE,
    async close() {
      child.kill('SIGKILL')
      await exited
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(port: number, check: () => void): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    check()
    const up = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      // A TLS server that is asked in plain words hangs up or answers 400; nobody at all refuses.
      (error: unknown) => !String((error as Error & { cause?: unknown }).cause).includes('ECONNREFUSED'),
    )
    if (up) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the relay did not come up')
}
