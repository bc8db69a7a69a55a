// `mesh up`, `mesh down`, `mesh logout`: what the user wants of the node.
import { readFileSync } from 'node:fs'
import { BACKEND_STATES, type BackendState } from '@mesh/net/status'
import type { Notify } from '../backend.ts'
import { CommandError, type LocalClient } from '../local-client.ts'
import { DEFAULT_PREFS, type Prefs } from '../prefs.ts'

/** Flags of `mesh up`. */
export interface UpFlags {
  readonly loginServer?: string
  readonly authKey?: string
  readonly hostname?: string
  /** Milliseconds; 0 waits for ever. */
  readonly timeout: number
  /** Settings that are not named take their defaults. */
  readonly reset?: boolean
  readonly json?: boolean
}

const RUNNING = BACKEND_STATES.indexOf('Running')
const NEEDS_MACHINE_AUTH = BACKEND_STATES.indexOf('NeedsMachineAuth')

/** Brings the node up and returns when it is in the mesh. */
export async function up(client: LocalClient, flags: UpFlags, print: (text: string) => void): Promise<void> {
  const { Hostname, RelayServerPort } = DEFAULT_PREFS
  const wishes: Partial<Prefs> = {
    ...(flags.reset ? { Hostname, RelayServerPort } : {}),
    ...(flags.loginServer === undefined ? {} : { ControlURL: controlUrl(flags.loginServer) }),
    ...(flags.hostname === undefined ? {} : { Hostname: flags.hostname }),
  }
  const authKey = readAuthKey(flags.authKey)
  const before = await client.prefs()
  if (!wishes.ControlURL && !before.ControlURL) {
    throw new CommandError('No control server is known yet: name one with --login-server URL.')
  }
  let started: Promise<void> | undefined
  let failed: unknown
  const abort = new AbortController()
  const tell = flags.json ? (news: News) => print(JSON.stringify(news, undefined, 2)) : sayOnStderr
  const onNotify = (notify: Notify): boolean => {
    // The first message tells of what was before: a login that was begun then counts no more.
    if (started) return isUp(notify, !authKey, tell)
    started = client.start({ UpdatePrefs: wishes, ...(authKey ? { AuthKey: authKey } : {}) })
    started.catch((error: unknown) => {
      failed = error
      abort.abort(error)
    })
    return false
  }
  const timer =
    flags.timeout > 0 ? setTimeout(() => abort.abort(tooLate(flags.timeout)), flags.timeout) : undefined
  try {
    await client.watch((notify) => {
      try {
        return onNotify(notify)
      } catch (error) {
        failed = error
        return true
      }
    }, abort.signal)
  } finally {
    clearTimeout(timer)
  }
  if (failed) throw failed
}

/** Takes the node out of the mesh; its login stays. */
export async function down(client: LocalClient): Promise<void> {
  await client.editPrefs({ WantRunning: false, WantRunningSet: true })
}

/** Flags of `mesh set`. */
export interface SetFlags {
  readonly hostname?: string
  /** A UDP port; empty for none. */
  readonly relayServerPort?: string
}

/** Changes settings of a node, up or not, and leaves the others. */
export async function set(client: LocalClient, { hostname, relayServerPort }: SetFlags): Promise<void> {
  if (hostname === undefined && relayServerPort === undefined)
    throw new CommandError('Name what to set: --hostname NAME or --relay-server-port PORT.')
  await client.editPrefs({
    ...(hostname === undefined ? {} : { Hostname: hostname, HostnameSet: true }),
    ...(relayServerPort === undefined
      ? {}
      : { RelayServerPort: readPort(relayServerPort), RelayServerPortSet: true }),
  })
}

function readPort(text: string): number | null {
  if (text === '') return null
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity
  if (port <= 65_535) return port
  throw new CommandError(`--relay-server-port must be a port, 0 for any, or empty for none, not "${text}".`)
}

/** What `mesh up` has to say on the way, in the field names of the family. */
interface News {
  readonly AuthURL?: string
  readonly BackendState: BackendState
}

function isUp(notify: Notify, showsUrl: boolean, tell: (news: News) => void): boolean {
  if (notify.ErrMessage) throw new CommandError(notify.ErrMessage)
  if (notify.BrowseToURL && showsUrl) tell({ AuthURL: notify.BrowseToURL, BackendState: 'NeedsLogin' })
  if (notify.State === NEEDS_MACHINE_AUTH) tell({ BackendState: 'NeedsMachineAuth' })
  if (notify.State === RUNNING) tell({ BackendState: 'Running' })
  return notify.State === RUNNING
}

function sayOnStderr({ AuthURL, BackendState }: News): void {
  if (AuthURL) process.stderr.write(`\nTo log this machine in, visit:\n\n\t${AuthURL}\n\n`)
  if (BackendState === 'NeedsMachineAuth')
    process.stderr.write("\nThis machine waits for an administrator's approval.\n\n")
}

function controlUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.href.replace(/\/+$/, '')
  throw new CommandError(`--login-server must be an http:// or https:// address, not "${text}".`)
}

/** The key given, or read from the file it names, or from the environment: so that it need not be in `ps`. */
function readAuthKey(flag: string | undefined): string | undefined {
  const given = flag ?? process.env['MESH_AUTHKEY'] ?? process.env['TS_AUTHKEY']
  if (!given?.startsWith('file:')) return given || undefined
  const path = given.slice('file:'.length)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new CommandError(
      `The auth key file ${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`,
    )
  }
}

function tooLate(timeout: number): CommandError {
  return new CommandError(
    `The node did not come up in ${timeout / 1000} s; meshd goes on trying (see mesh status).`,
  )
}
