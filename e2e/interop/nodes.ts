// The nodes of a case, each with a real TUN in its own namespace: a real tailscaled, or our daemon.
import { join } from 'node:path'
import { eventually, type RunResult, type Started } from '../netns/lab.ts'
import type { Control } from './servers.ts'
import type { Place } from './site.ts'

/** A node that is logged in. */
export interface MeshNode {
  readonly place: Place
  /** Its IPv4 address in the mesh. */
  readonly address: string
  /** Its daemon. */
  readonly daemon: Started
  /** Asks its command line. */
  readonly cli: (...args: readonly string[]) => Promise<RunResult>
}

const MESHD = new URL('../../apps/daemon/src/meshd.ts', import.meta.url)
const MESH = new URL('../../apps/daemon/src/mesh.ts', import.meta.url)

/** The environment variable by which both daemons are told to reach relays over plain HTTP. */
const PLAIN_RELAYS = 'TS_DEBUG_USE_DERP_HTTP'

/** How a node differs from the usual one, with a TUN device and a key. */
export interface JoinOptions {
  /** It has no TUN device: its own stack of protocols answers. */
  readonly userspace?: boolean
  /** It takes names from control; when left out, so does one without a TUN device, which changes no file for that. */
  readonly takesNames?: boolean
  /** What its daemon finds in its environment, each as `NAME=value`. */
  readonly environment?: readonly string[]
  /** A folder that its daemon finds in the place of /etc: it may write there. The machine's own is left alone. */
  readonly etc?: string
  /** More words of `tailscale up`. */
  readonly flags?: readonly string[]
  /** Is shown the login page's address and lets the node in, in place of a key. */
  readonly approve?: (page: string) => Promise<unknown>
}

/** Starts a real tailscaled and logs it in. */
export async function joinTailscaled(
  place: Place,
  control: Control,
  name: string,
  peer: (program: string) => string,
  options: JoinOptions = {},
): Promise<MeshNode> {
  const { userspace = false, takesNames = userspace, environment = [], etc, flags = [], approve } = options
  const socket = join(place.folder, 'ts.sock')
  const [program, ...words] = etc === undefined ? (['env'] as const) : ([...inEtc(etc), 'env'] as const)
  const daemon = place.namespace.start(
    program,
    ...words,
    `${PLAIN_RELAYS}=${control.plainRelay}`,
    ...environment,
    peer('tailscaled'),
    `--tun=${userspace ? 'userspace-networking' : 'tailscale0'}`,
    `--statedir=${place.folder}`,
    `--socket=${socket}`,
    '--no-logs-no-support',
  )
  const tailscale = [peer('tailscale'), `--socket=${socket}`] as const
  const cli = (...args: readonly string[]): Promise<RunResult> => place.namespace.run(...tailscale, ...args)
  const up = ['up', `--login-server=${control.url}`, `--hostname=${name}`]
  up.push(`--accept-dns=${takesNames}`, '--netfilter-mode=off', '--timeout=30s', ...flags)
  await explained(daemon, async () => {
    if (approve === undefined) return cli(...up, `--auth-key=${control.authKey}`)
    return approveLogin(place.namespace.start(...tailscale, ...up), approve)
  })
  return { place, address: await firstAddress(cli), daemon, cli }
}

/** Returns the words that run a program with a folder in the place of /etc, for what is started in a namespace. */
export function inEtc(folder: string): readonly [string, ...string[]] {
  return ['sh', '-c', 'mount --bind "$0" /etc && exec "$@"', folder]
}

/** Waits until a login under way shows the address of its page, lets it in there, and waits for its end. */
export async function approveLogin(
  login: Started,
  approve: (page: string) => Promise<unknown>,
): Promise<void> {
  const [page] = await login.waitFor(/https?:\S+\/register\/\w+/)
  await approve(page)
  await eventually('the login to end', async () => login.ended || undefined, 30_000)
}

/** Starts our daemon and logs it in. */
export async function joinMeshd(place: Place, control: Control, name: string): Promise<MeshNode> {
  const { daemon, cli } = await startMeshd(place, control)
  await explained(daemon, () =>
    cli('up', `--login-server=${control.url}`, `--auth-key=${control.authKey}`, `--hostname=${name}`),
  )
  return { place, address: await firstAddress(cli), daemon, cli }
}

/** Ends our daemon, and starts it again with what it has on disk. */
export async function restartMeshd(
  { place, address, daemon }: MeshNode,
  control: Control,
): Promise<MeshNode> {
  await daemon.stop()
  return { place, address, ...(await startMeshd(place, control)) }
}

async function startMeshd(place: Place, control: Control): Promise<Pick<MeshNode, 'daemon' | 'cli'>> {
  const socket = join(place.folder, 'm.sock')
  const daemon = place.namespace.start(
    'env',
    `${PLAIN_RELAYS}=${control.plainRelay}`,
    process.execPath,
    '--conditions=@mesh/source',
    MESHD.pathname,
    '--tun=mesh0',
    `--statedir=${place.folder}`,
    `--socket=${socket}`,
  )
  const cli = (...args: readonly string[]): Promise<RunResult> =>
    place.namespace.run(
      process.execPath,
      '--conditions=@mesh/source',
      MESH.pathname,
      `--socket=${socket}`,
      ...args,
    )
  await eventually('meshd to answer', () => cli('status', '--json').catch(() => undefined))
  return { daemon, cli }
}

/** Waits until the kernel's own ping from one node to the other is answered. */
export async function kernelPing(from: MeshNode, to: MeshNode): Promise<void> {
  await eventually(
    `${from.address} to reach ${to.address}`,
    () => from.place.namespace.run('ping', '-c', '1', '-W', '2', to.address).catch(() => undefined),
    30_000,
  )
  await from.place.namespace.run('ping', '-c', '5', '-i', '0.2', '-W', '2', to.address)
}

/** Asks by the command line until the pong's path matches. */
export async function pathIs(from: MeshNode, to: MeshNode, path: RegExp): Promise<void> {
  await eventually(
    `a pong from ${to.address} ${String(path)}`,
    async () => {
      const { stdout } = await from.cli('ping', '--c=1', '--until-direct=false', to.address)
      return path.test(stdout) ? stdout : undefined
    },
    30_000,
  )
}

async function firstAddress(cli: MeshNode['cli']): Promise<string> {
  const { stdout } = await cli('ip', '-4')
  return stdout.trim()
}

/** Runs something a daemon takes part in; a failure is told with the daemon's last words, which end it: another may come. */
async function explained<T>(daemon: Started, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const tail = daemon.output.split('\n').slice(-15).join('\n')
    await daemon.stop()
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${tail}`, { cause: error })
  }
}
