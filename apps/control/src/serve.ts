// `mesh-control serve`: puts the state directory, the listener and the command socket together, and ends them in order.

import type { Server } from 'node:http'
import { type ControlListener, listenControl, loadControlKey, SqliteStore } from '@mesh/control-server/node'
import type { RelayEntry } from '@mesh/control-server'
import pino from 'pino'
import { listenForCommands } from './admin-socket.ts'
import { CommandError, reasonOf, systemCodeOf } from './command-error.ts'
import { readRelays } from './relays.ts'
import { claim, stateDirectory } from './state-directory.ts'
import { VERSION } from './version.ts'

/** The flags of `serve`. */
export interface ServeFlags {
  readonly listen: ListenAddress
  readonly stateDir: string
  readonly baseDomain: string
  readonly relay: readonly RelayEntry[]
  readonly derpMap?: string
  readonly serverUrl?: string
  readonly nameserver: readonly string[]
  readonly overrideLocalDns: boolean
  readonly nodeExpiry: number
  readonly verbose?: boolean
}

/** Where to listen. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Serves until the process is told to end. Says on standard output when and where it is ready. */
export async function serve(flags: ServeFlags): Promise<void> {
  const logger = pino(
    { base: null, level: flags.verbose ? 'debug' : 'info' },
    pino.destination({ fd: 2, sync: true }),
  )
  const derpMap = readRelays(flags)
  const state = stateDirectory(flags.stateDir)
  claim(state)
  const privateKey = loadControlKey(state.privateKey)
  const store = new SqliteStore(state.database)
  const control = await listen(flags, {
    ...flags.listen,
    store,
    derpMap,
    privateKey,
    logger,
    baseDomain: flags.baseDomain,
    nameservers: flags.nameserver,
    overrideLocalDns: flags.overrideLocalDns,
    nodeKeyLifetime: flags.nodeExpiry,
    ...(flags.serverUrl === undefined ? {} : { serverUrl: flags.serverUrl }),
  })
  const commands = await listenForCommands(state.socket, control)
  endOnSignals(control, commands, store)
  logger.info(
    { version: VERSION, url: control.url, serverUrl: control.serverUrl, state: state.path },
    'ready',
  )
  if (Object.keys(derpMap.Regions ?? {}).length === 0) {
    logger.warn({}, 'there is no relay: nodes behind NATs will not reach each other; name one with --relay')
  }
  process.stdout.write(`mesh-control listening on ${control.url}\n`)
}

async function listen(
  flags: ServeFlags,
  options: Parameters<typeof listenControl>[0],
): Promise<ControlListener> {
  const { host, port } = options
  if (flags.serverUrl === undefined && (host === '0.0.0.0' || host === '::')) {
    throw new CommandError(
      `With --listen on every address, say by --server-url how clients reach the server.`,
    )
  }
  try {
    return await listenControl(options)
  } catch (cause) {
    const where = `${host}:${port}`
    const code = systemCodeOf(cause)
    if (code === 'EADDRINUSE') throw new CommandError(`${where} is in use by another program.`, { cause })
    if (code === 'EACCES') throw new CommandError(`Listening on ${where} is not permitted.`, { cause })
    if (code.startsWith('E') && !code.startsWith('ERR_')) {
      throw new CommandError(`${where} cannot be listened on: ${reasonOf(cause)}.`, { cause })
    }
    throw cause
  }
}

function endOnSignals(control: ControlListener, commands: Server, store: SqliteStore): void {
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    commands.close()
    commands.closeAllConnections()
    control.close().then(
      () => {
        store.close()
        process.exit(0)
      },
      () => process.exit(1),
    )
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}
