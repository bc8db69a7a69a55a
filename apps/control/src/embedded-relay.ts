// The relay inside the control server: the same port for HTTPS, a UDP port for STUN, and only the nodes of this network.

import { type RelayEntry, relayMap } from '@mesh/control-server'
import type { Guest } from '@mesh/control-server/node'
import { createRelay, listenStun, STUN_PORT } from '@mesh/derp-server/node'
import { formatNodeKey } from '@mesh/keys'
import { reasonOf } from '@mesh/sansio/node'
import type { DERPMap } from '@mesh/wire/control'
import { CommandError } from './command-error.ts'
import type { ListenAddress } from './flag-values.ts'

/** The region of the embedded relay, as Headscale numbers its own. */
const EMBEDDED_REGION = 999

/** How the relay is started. */
export interface EmbeddedRelayOptions {
  /** The address nodes reach the server by. */
  readonly serverUrl: string
  /** The relay's private key, 32 bytes. */
  readonly privateKey: Uint8Array
  /** Where STUN listens. */
  readonly stun: ListenAddress | 'off'
  /** Tells whether a node key is one of the network's. */
  readonly admits: (nodeKey: string) => boolean
}

/** A relay that runs. */
export interface EmbeddedRelay {
  /** Its side of the control server. */
  readonly guest: Guest
  /** The map with its region in it. */
  addTo(map: DERPMap): DERPMap
  /** Ends it. */
  close(): void
}

/** Starts the relay. */
export async function startEmbeddedRelay(options: EmbeddedRelayOptions): Promise<EmbeddedRelay> {
  const { privateKey, serverUrl, stun, admits } = options
  const listener = stun === 'off' ? undefined : await openStun(stun)
  const relay = createRelay({ privateKey, verifyClient: ({ nodeKey }) => admits(formatNodeKey(nodeKey)) })
  return {
    guest: {
      handleRequest: (request, response) => relay.handleRequest(request, response),
      handleUpgrade(request, socket, head) {
        if (!/^\/derp(\?|$)/.test(request.url ?? '')) return false
        relay.handleUpgrade(request, socket, head)
        return true
      },
    },
    addTo: (map) => ({
      ...map,
      Regions: { ...map.Regions, ...relayMap([entryOf(serverUrl, listener?.port ?? -1)]).Regions },
    }),
    close() {
      relay.close()
      void listener?.close()
    },
  }
}

/** Returns where STUN listens when nothing else is said: beside the server. */
export function stunBeside({ host }: ListenAddress): ListenAddress {
  return { host, port: STUN_PORT }
}

function entryOf(serverUrl: string, stunPort: number): RelayEntry {
  const { protocol, hostname, port } = new URL(serverUrl)
  const plain = protocol === 'http:'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (plain ? 80 : 443) : Number(port),
    stunPort,
    region: EMBEDDED_REGION,
    ...(plain ? { insecure: true } : {}),
  }
}

async function openStun({ host, port }: ListenAddress): ReturnType<typeof listenStun> {
  try {
    return await listenStun({ address: host === '::' ? '' : host, port })
  } catch (cause) {
    throw new CommandError(`STUN cannot listen on ${host}:${port}: ${reasonOf(cause)}.`, { cause })
  }
}
