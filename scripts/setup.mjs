// What every command does first, on whatever Node runs it (20 or later): installs the workspace when the lockfile
// has changed, and finds the Node 26 that the install brought. Plain JavaScript, because nothing is installed yet.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the project. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const stamp = join(root, 'node_modules', '.mesh-installed')
const bundledNode = join(root, 'node_modules', '.bin', 'node')

/** Flags that let Node run every package from its sources. */
export const sourceFlags = ['--conditions=@mesh/source', '--disable-warning=ExperimentalWarning']

/** Installs the dependencies, unless this very lockfile is installed already. Exits with a reason when it fails. */
export function install() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'pnpm-lock.yaml')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.log('Installing dependencies (Node 26 among them) …')
  const { status } = pnpm(['install', '--frozen-lockfile', '--reporter=append-only'])
  if (status !== 0) fail(`the install failed with exit code ${status}; its reason stands above`)
  writeFileSync(stamp, wanted)
}

/** Returns the path of a Node 26: the installed one, else the one that runs this, if it is new enough. */
export function node26() {
  if (existsSync(bundledNode)) return bundledNode
  if (Number(process.versions.node.split('.')[0]) >= 26) return process.execPath
  return fail(`no Node 26 comes for ${process.platform}-${process.arch}; install one and run this again`)
}

/** Runs pnpm with the given arguments and waits for it. */
export function pnpm(args, options = {}) {
  return spawnSync('npx', ['-y', 'pnpm@12', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: quiet(),
    ...options,
  })
}

/** Runs Node 26 with the given arguments, passes signals on, and returns its exit code. */
export function runNode(args, env = {}) {
  const child = spawn(node26(), args, { cwd: root, stdio: 'inherit', env: { ...quiet(), ...env } })
  // Ctrl-C reaches the child by itself, as it shares the terminal; here it must only not end the wait.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return new Promise((resolve) => {
    child.on('error', (error) => fail(`cannot start Node: ${error.message}`))
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)))
  })
}

/** Prints one sentence and ends with exit code 1. */
export function fail(reason) {
  console.error(`error: ${reason}`)
  process.exit(1)
}

function quiet() {
  return { ...process.env, TURBO_TELEMETRY_DISABLED: '1', npm_config_update_notifier: 'false' }
}
