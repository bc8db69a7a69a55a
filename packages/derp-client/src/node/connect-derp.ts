// A relay connection for Node: sockets, TLS and timers around the DerpClient machine. It stays up until closed,
// redialling with back-off.
import type { X25519 } from '@mesh/keys'
import type { Clock, RandomSource } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { DerpConnection } from '../connection.ts'
import { type Dial, DrivenConnection } from '../driven-connection.ts'
import type { RelayRegion } from '../region.ts'
import { type DialOptions, dialRegion } from './dial.ts'
import { type ProxyTarget, proxyFromEnvironment } from './proxy.ts'

/** What {@link connectDerp} is told. */
export interface DerpConnectionOptions {
  /** The region to connect to, as in the DERP map; its nodes are tried in order. */
  readonly region: RelayRegion
  /** This node's private key, 32 bytes; kept, not copied. */
  readonly privateKey: Uint8Array
  /** Whether this region is the node's home, told to the server after each login. */
  readonly preferred?: boolean
  /**
   * Dials without TLS, as Tailscale's clients do with `TS_DEBUG_USE_DERP_HTTP` set. A DERP map has no word for it;
   * nodes with `InsecureForTests` are dialled by TLS first and without it when they do not speak it.
   */
  readonly plain?: boolean
  /** Whether IPv6 is known to work; IPv4 then starts 200 ms late. */
  readonly ipv6Works?: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots?: readonly string[]
  /** The secret of the relay's mesh, 32 bytes: this client is then a mesh peer, if the relay has the same. */
  readonly meshKey?: Uint8Array
  /** Asks to be told by events who is at the relay; only mesh peers may. */
  readonly watch?: boolean
  /**
   * Says by which HTTP proxy to reach a target, or `undefined` for none; {@link proxyFromEnvironment} unless given. A proxy
   * looks names up itself, so the addresses of the map are not used then.
   */
  readonly proxyFor?: (target: ProxyTarget) => URL | undefined
  /** Speaks DERP inside a WebSocket, as browsers do: for networks that let nothing else through. */
  readonly webSocket?: boolean
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the system's unless given. */
  readonly random?: RandomSource
  /** A faster X25519 for logins, such as `nodeCrypto` of `@mesh/noise/node`. */
  readonly x25519?: X25519
}

// One list for all, because the trust built of it is kept by its identity.
const NO_ROOTS: readonly string[] = []

/** Connects to a relay region and stays connected. The attempt starts at once; results arrive as events. */
export function connectDerp(options: DerpConnectionOptions): DerpConnection {
  const { region, privateKey, preferred, meshKey, watch, x25519 } = options
  const client = {
    privateKey,
    random: options.random ?? systemRandom,
    ...(preferred === undefined ? {} : { preferred }),
    ...(meshKey === undefined ? {} : { meshKey }),
    ...(watch === undefined ? {} : { watch }),
    ...(x25519 === undefined ? {} : { x25519 }),
  }
  const dialOptions = {
    plain: options.plain ?? false,
    ipv6Works: options.ipv6Works ?? false,
    extraRoots: options.extraRoots ?? NO_ROOTS,
    webSocket: options.webSocket ?? false,
    proxyFor: options.proxyFor ?? proxyFromEnvironment,
  }
  return new DrivenConnection(
    region.RegionID,
    client,
    options.clock ?? systemClock,
    dialling(region, dialOptions),
  )
}

function dialling(region: RelayRegion, options: DialOptions): Dial {
  return ({ opened, failed }) => {
    const controller = new AbortController()
    const { signal } = controller
    dialRegion(region, options, signal).then(
      (dialled) => (signal.aborted ? dialled.stream.close() : opened(dialled)),
      (error: unknown) => signal.aborted || failed(error),
    )
    return () => controller.abort()
  }
}
