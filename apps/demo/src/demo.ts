// What `npm start` runs: a control server, a relay and two nodes on this machine, and the proof that the nodes
// reach each other by name, first through the relay and then straight.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { LocalMesh, PROJECT } from './local-mesh.ts'
import { Namespaces, HUB_ADDRESS } from './namespaces.ts'
import { Progress } from './progress.ts'
import { showKernelTraffic } from './kernel-traffic.ts'
import { showPaths } from './paths.ts'

const HELP = `npm start [-- FLAGS]: starts a control server, a relay and two nodes on this machine
and shows node "a" reaching node "b" by name.

  --once     stop after the check: exit code 0 when all went well, 1 with the reason when not
  --tun      give each node a network namespace and a real TUN device (needs root, Linux)
  --reset    forget what earlier runs left in .mesh/ and start afresh
  --listen ADDRESS
             address of this machine for the control server and the relay, so that other
             machines can join (default 127.0.0.1: this machine only)
  --dir DIRECTORY
             where state, logs and sockets are (default .mesh)
  --help     show this
`

interface Flags {
  readonly once: boolean
  readonly tun: boolean
  readonly reset: boolean
  readonly listen: string | undefined
  readonly dir: string
}

function readFlags(): Flags | undefined {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      tun: { type: 'boolean', default: false },
      reset: { type: 'boolean', default: false },
      listen: { type: 'string' },
      dir: { type: 'string', default: '.mesh' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (!values.help) return { ...values, listen: values.listen }
  process.stdout.write(HELP)
  return undefined
}

async function main(flags: Flags, progress: Progress): Promise<void> {
  const directory = resolve(PROJECT, flags.dir, flags.tun ? 'tun' : '.')
  if (flags.tun) checkRights()
  const release = claim(directory)
  if (flags.reset) forget(directory)
  const namespaces = flags.tun ? new Namespaces() : undefined
  const mesh = new LocalMesh({
    directory,
    host: namespaces ? HUB_ADDRESS : (flags.listen ?? '127.0.0.1'),
    ...(namespaces
      ? { tun: 'mesh0', wrap: (who, command, args) => namespaces.wrap(who, command, args) }
      : {}),
  })
  const stopped = untilStopped()
  try {
    const work = demonstrate(mesh, namespaces, progress)
    // Once the user has asked for the end, a failure is only an effect of it.
    work.catch(() => {})
    await Promise.race([work, stopped.promise])
    if (stopped.happened()) {
      process.exitCode = 130
      return
    }
    if (!flags.once) {
      explainJoining(mesh, namespaces, progress)
      await Promise.race([stopped.promise, firstDeath(mesh)])
    }
  } finally {
    await mesh.stop()
    await namespaces?.remove()
    release()
  }
}

async function demonstrate(
  mesh: LocalMesh,
  namespaces: Namespaces | undefined,
  progress: Progress,
): Promise<void> {
  const start = performance.now()
  const known = existsSync(join(mesh.directory, 'a.state'))
  progress.title(known ? 'A mesh on this machine, found again' : 'A mesh on this machine')
  if (namespaces) {
    await namespaces.removeLeftOvers()
    await progress.step('three network namespaces: hub, a, b', () => namespaces.create(['a', 'b']))
  }
  await mesh.choosePorts()
  const daemons = ['a', 'b'].map((name) => mesh.startDaemon(name))
  // A daemon that fails while the servers start is reported where it is waited for.
  for (const daemon of daemons) daemon.catch(() => {})
  await progress.step(
    'relay',
    () => mesh.startRelay(),
    () => mesh.relayAddress,
  )
  await progress.step(
    'control server',
    () => mesh.startControl(),
    () => mesh.controlUrl,
  )
  await progress.step(
    'auth key for new machines',
    () => mesh.ensureAuthKey(),
    (made) => (made ? 'made' : 'kept'),
  )
  await Promise.all(daemons)
  const up = (name: string): Promise<unknown> =>
    progress.step(
      `node ${name} up`,
      () => mesh.up(name),
      (status) => (status.TailscaleIPs ?? []).join('  '),
    )
  // Addresses are given in the order of the first logins: a comes before b.
  if (known) await Promise.all(['a', 'b'].map(up))
  else for (const name of ['a', 'b']) await up(name)
  const peer = await progress.step(
    'a sees b in its map',
    () => mesh.untilPeer('a', 'b'),
    (found) => found.DNSName.replace(/\.$/, ''),
  )
  await mesh.untilPeer('b', 'a')
  progress.title('a reaches b')
  await showPaths(mesh, progress)
  if (namespaces) await showKernelTraffic(mesh, namespaces, peer, progress)
  progress.say(`\nAll of it took ${((performance.now() - start) / 1000).toFixed(1)} s.`)
}

function explainJoining(mesh: LocalMesh, namespaces: Namespaces | undefined, progress: Progress): void {
  progress.title('It stays up.')
  if (namespaces) {
    progress.say('Look around from another terminal, as root:')
    progress.say(`  ip netns exec ${namespaces.nameOf('a')} ping b`)
    progress.say(`  ${program('mesh.ts')} --socket=${fromHere(mesh.socketOf('a'))} status`)
  } else {
    const socket = `--socket=${fromHere(mesh.socketOf('c'))}`
    const state = `--state=${fromHere(join(mesh.directory, 'c.state'))}`
    const key = `--auth-key=file:${fromHere(mesh.authKeyFile)}`
    const loopback = mesh.host === '127.0.0.1' ? ' --allow-loopback' : ''
    progress.say('To join another node, in this folder in another terminal:')
    progress.say(`  ${program('meshd.ts')} --tun=userspace-networking${loopback} ${state} ${socket} &`)
    progress.say(`  ${program('mesh.ts')} ${socket} up --login-server=${mesh.controlUrl} ${key} --hostname=c`)
    progress.say(`  ${program('mesh.ts')} ${socket} ping b`)
    if (mesh.host === '127.0.0.1') {
      progress.note('The servers listen on this machine alone. For other machines start this with')
      progress.note('npm start -- --listen ADDRESS (one of this machine), and carry the auth key file over.')
    }
  }
  progress.say('\nCtrl-C ends everything.')
}

function program(file: string): string {
  return `node_modules/.bin/node --conditions=@mesh/source apps/daemon/src/${file}`
}

function fromHere(path: string): string {
  return relative(PROJECT, path)
}

function checkRights(): void {
  if (process.platform !== 'linux')
    throw new Error('--tun needs Linux; leave it out to run the nodes in user space.')
  if (process.getuid?.() !== 0)
    throw new Error('--tun needs root: run sudo npm start -- --tun, or leave --tun out.')
}

/** Takes the directory for this process alone; returns what gives it back. */
function claim(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'demo.pid')
  const other = Number(readIfThere(file))
  if (other > 0 && other !== process.pid && isDemo(other)) {
    throw new Error(`The demo runs already, as process ${other}: end it first (Ctrl-C there).`)
  }
  writeFileSync(file, String(process.pid))
  return () => rmSync(file, { force: true })
}

function isDemo(pid: number): boolean {
  if (process.platform === 'linux') return readIfThere(`/proc/${pid}/cmdline`).includes('demo.ts')
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Removes what earlier runs left. */
function forget(directory: string): void {
  for (const name of FORGOTTEN) rmSync(join(directory, name), { recursive: true, force: true })
}

/** What a run leaves in its directory, but for the claim on it. */
const FORGOTTEN = ['a.state', 'b.state', 'control', 'relay', 'auth.key', 'ports.json', 'log']

interface Stopper {
  /** Resolves when the user wants an end. */
  readonly promise: Promise<void>
  /** Whether that has happened. */
  happened(): boolean
}

/** Hears Ctrl-C and SIGTERM. A second one changes nothing: what was started must be ended in order. */
function untilStopped(): Stopper {
  let happened = false
  const { promise, resolve: settle } = Promise.withResolvers<void>()
  const stop = (): void => {
    happened = true
    settle()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return { promise, happened: () => happened }
}

/** Rejects when one of the programs ends by itself. */
function firstDeath(mesh: LocalMesh): Promise<never> {
  const children = ['control', 'relay', 'a', 'b']
    .map((name) => mesh.child(name))
    .filter((child) => child !== undefined)
  return Promise.race(
    children.map(async (child) => {
      const how = await child.ended
      throw child.error(`ended by itself (${how})`)
    }),
  )
}

const progress = new Progress()
try {
  const flags = readFlags()
  if (flags) await main(flags, progress)
} catch (error) {
  progress.fail(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
