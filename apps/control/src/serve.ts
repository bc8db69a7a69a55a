// `mesh-control serve`: puts the state directory, the listener and the command socket together, and ends them in order.

import type { Server } from 'node:http'
import { type ControlListener, dnsHook, listenControl, loadControlKey } from '@mesh/control-server/node'
import type { Store } from '@mesh/control-server'
import type { DnsListener } from '@mesh/dns/node'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import { sayOn } from '@mesh/sansio/node'
import pino from 'pino'
import { listenForCommands } from './admin-socket.ts'
import { keepCertificateFresh } from './certificate.ts'
import { answerForDomain } from './certificate-dns.ts'
import { CommandError } from './command-error.ts'
import { type EmbeddedRelay, startEmbeddedRelay, stunBeside } from './embedded-relay.ts'
import { openStore } from './database.ts'
import { recordCrypto } from './record-crypto.ts'
import { listenForMetrics } from './metrics.ts'
import { prepare, type ServeFlags, serverUrlOf } from './serve-flags.ts'
import { claim, stateDirectory } from './state-directory.ts'
import { VERSION } from './version.ts'

/** The most of a log that waits to be written, bytes. */
const MAX_LOG_KEPT = 1 << 20

/** Serves until the process is told to end. Says on standard output when and where it is ready. */
export async function serve(flags: ServeFlags): Promise<void> {
  const logger = pino({ base: null, level: flags.verbose ? 'debug' : 'info' }, standardError())
  const { relays, tls, network } = prepare(flags)
  const state = stateDirectory(flags.stateDir)
  claim(state)
  const privateKey = loadControlKey(flags.privateKey ?? state.privateKey)
  const store = await openStore(flags.database, state)
  let control: ControlListener | undefined
  const relay = await embed(flags, state.relayKey, (nodeKey) => control?.admits(nodeKey) ?? false)
  const derpMap = relay ? relay.addTo(relays) : relays
  control = await listen({
    ...flags.listen,
    ...network,
    trustedProxies: flags.trustedProxy,
    store,
    derpMap,
    privateKey,
    logger,
    ...(tls ? { tls } : {}),
    ...(relay ? { guest: relay.guest } : {}),
    ...(flags.dnsHook === undefined ? {} : { dnsProvider: dnsHook({ program: flags.dnsHook }) }),
    // Alone, it has one name for ever: nodes that come back after a restart are where they were.
    ...(flags.database === undefined ? { server: 'main' } : {}),
    ...(flags.serverUrl === undefined && flags.acmeHostname === undefined
      ? {}
      : { serverUrl: serverUrlOf(flags) }),
  })
  const dns = await answerForDomain(flags, control)
  const pages = [await listenForCommands(state.socket, control)]
  if (flags.metricsListen !== 'off') pages.push(await listenForMetrics(flags.metricsListen, control))
  const stopRenewing = keepCertificateFresh(control, flags, logger)
  endOnSignals({ control, pages, store, relay, dns, stopRenewing })
  logger.info(
    { version: VERSION, url: control.url, serverUrl: control.serverUrl, state: state.path },
    'ready',
  )
  if (Object.keys(derpMap.Regions ?? {}).length === 0) {
    logger.warn({}, 'there is no relay: nodes behind NATs will not reach each other; name one with --relay')
  }
  sayOn(1, `mesh-control listening on ${control.url}\n`)
}

/** A log that cannot be written, as on a full disk, ends nothing: what fits in memory is written later, the rest is lost. */
function standardError(): pino.DestinationStream {
  const stream = pino.destination({ fd: 2, sync: true, maxLength: MAX_LOG_KEPT })
  stream.on('error', () => undefined)
  return stream
}

/** Starts the embedded relay when it is wanted. Nodes are told of it by the address they know the server by. */
async function embed(
  flags: ServeFlags,
  keyFile: string,
  admits: (nodeKey: string) => boolean,
): Promise<EmbeddedRelay | undefined> {
  if (!flags.embeddedRelay) return undefined
  return startEmbeddedRelay({
    serverUrl: serverUrlOf(flags),
    admits,
    privateKey: loadControlKey(keyFile),
    stun: flags.stun ?? stunBeside(flags.listen),
  })
}

async function listen(options: Parameters<typeof listenControl>[0]): Promise<ControlListener> {
  const { host, port } = options
  try {
    return await listenControl({ crypto: recordCrypto(), ...options })
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

interface Parts {
  readonly control: ControlListener
  readonly pages: readonly Server[]
  readonly store: Store
  readonly relay: EmbeddedRelay | undefined
  readonly dns: DnsListener | undefined
  readonly stopRenewing: () => void
}

function endOnSignals({ control, pages, store, relay, dns, stopRenewing }: Parts): void {
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    for (const each of pages) {
      each.close()
      each.closeAllConnections()
    }
    stopRenewing()
    relay?.close()
    Promise.all([control.close(), dns?.close()])
      .then(() => store.close())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      )
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
}
