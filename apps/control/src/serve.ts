// `mesh-control serve`: puts the state directory, the listener and the command socket together, and ends them in order.

import type { Server } from 'node:http'
import { type ControlListener, listenControl, loadControlKey } from '@mesh/control-server/node'
import type { RelayEntry, Store } from '@mesh/control-server'
import pino from 'pino'
import { listenForCommands } from './admin-socket.ts'
import { keepCertificateFresh, readCertificate } from './certificate.ts'
import { CommandError, reasonOf, systemCodeOf } from './command-error.ts'
import { type EmbeddedRelay, startEmbeddedRelay, stunBeside } from './embedded-relay.ts'
import { openStore } from './database.ts'
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
  readonly embeddedRelay?: boolean
  readonly stun?: ListenAddress | 'off'
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly nodeExpiry: number
  readonly auditRetention: number
  readonly database?: string
  readonly privateKey?: string
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
  const relays = readRelays(flags)
  const tls = readCertificate(flags)
  const state = stateDirectory(flags.stateDir)
  claim(state)
  const privateKey = loadControlKey(flags.privateKey ?? state.privateKey)
  const store = await openStore(flags.database, state)
  let control: ControlListener | undefined
  const relay = await embed(flags, state.relayKey, (nodeKey) => control?.admits(nodeKey) ?? false)
  const derpMap = relay ? relay.addTo(relays) : relays
  control = await listen(flags, {
    ...flags.listen,
    store,
    derpMap,
    privateKey,
    logger,
    baseDomain: flags.baseDomain,
    nameservers: flags.nameserver,
    overrideLocalDns: flags.overrideLocalDns,
    nodeKeyLifetime: flags.nodeExpiry,
    auditRetention: flags.auditRetention,
    ...(tls ? { tls } : {}),
    ...(relay ? { guest: relay.guest } : {}),
    // Alone, it has one name for ever: nodes that come back after a restart are where they were.
    ...(flags.database === undefined ? { server: 'main' } : {}),
    ...(flags.serverUrl === undefined ? {} : { serverUrl: flags.serverUrl }),
  })
  const commands = await listenForCommands(state.socket, control)
  keepCertificateFresh(control, flags, logger)
  endOnSignals(control, commands, store, relay)
  logger.info(
    { version: VERSION, url: control.url, serverUrl: control.serverUrl, state: state.path },
    'ready',
  )
  if (Object.keys(derpMap.Regions ?? {}).length === 0) {
    logger.warn({}, 'there is no relay: nodes behind NATs will not reach each other; name one with --relay')
  }
  process.stdout.write(`mesh-control listening on ${control.url}\n`)
}

/** Starts the embedded relay when it is wanted. Nodes are told of it by the address they know the server by. */
async function embed(
  flags: ServeFlags,
  keyFile: string,
  admits: (nodeKey: string) => boolean,
): Promise<EmbeddedRelay | undefined> {
  if (!flags.embeddedRelay) return undefined
  const { host, port } = flags.listen
  if (flags.serverUrl === undefined && port === 0)
    throw new CommandError('With --embedded-relay, say the port by --listen or --server-url.')
  const scheme = flags.tlsCert === undefined ? 'http' : 'https'
  const serverUrl = flags.serverUrl ?? `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
  return startEmbeddedRelay({
    serverUrl,
    admits,
    privateKey: loadControlKey(keyFile),
    stun: flags.stun ?? stunBeside(flags.listen),
  })
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

function endOnSignals(
  control: ControlListener,
  commands: Server,
  store: Store,
  relay: EmbeddedRelay | undefined,
): void {
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    commands.close()
    commands.closeAllConnections()
    relay?.close()
    control
      .close()
      .then(() => store.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      )
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}
