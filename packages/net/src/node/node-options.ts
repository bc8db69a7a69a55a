// What a program says when it starts a node.
import type { AnswerCall } from '@mesh/control-client'
import type { TunDevice } from '@mesh/tun'
import type { OffloadTun } from '@mesh/tun/node'
import type { HostRoutes } from '../eligible-routes.ts'
import type { MapCache } from '../map-cache.ts'
import type { StateStore } from '../state-store.ts'
import type { DataPlaneChoice } from './data-plane.ts'

/** How a node joins. */
export interface NodeOptions {
  /** Address of the control server. */
  readonly controlUrl: string
  /** Name to go by in the mesh. */
  readonly hostname: string
  /** Secret that admits a new node; not needed once the node is known. */
  readonly authKey?: string
  /** What the node remembers between runs; nothing when left out, and then control forgets the node too. */
  readonly store?: StateStore
  /**
   * Remembers the last map. A node that keeps trying begins with it, so that it reaches its peers though control is
   * away: for as long as their keys last, or until control says otherwise.
   */
  readonly mapCache?: MapCache
  /** True to go on trying while control cannot be reached; else the first failure ends the node. */
  readonly keepTrying?: boolean
  /** Opens the kernel's device; the user-space stack when left out. The node closes it. */
  readonly openDevice?: () => Promise<TunDevice>
  /**
   * Opens the kernel's device for a packet thread; without it there is none. `openDevice` must then be there too: it takes
   * over where a thread cannot be had. The node closes it.
   */
  readonly openOffloadDevice?: () => Promise<OffloadTun>
  /** Who moves the packets; `auto` when left out: the fastest there is. */
  readonly dataPlane?: DataPlaneChoice
  /** Takes the addresses and routes that the host must have for the device; the node is in once they are set. */
  readonly onHostRoutes?: (routes: HostRoutes) => Promise<void> | void
  /** UDP port for peers; any when 0 or left out. */
  readonly port?: number
  /** UDP port on which this node relays between peers that control lets it serve; 0 for any. Left out: it does not. */
  readonly relayServerPort?: number
  /** Counts loopback addresses as reachable: for several nodes on one machine. */
  readonly allowLoopback?: boolean
  /**
   * Asks the gateway to forward the UDP port, by NAT-PMP, PCP or UPnP. It is asked when this is left out, unless loopback
   * addresses count.
   */
  readonly portMapping?: boolean
  /** Reaches relays over plain HTTP, which the relay map has no word for: for a relay without a certificate. */
  readonly plainRelays?: boolean
  /** Version to tell control. */
  readonly version?: string
  /** Answers what control asks that the node itself does not know: asked first. */
  readonly answerCall?: AnswerCall
  /** Takes what is worth a line in a log. Never a secret. */
  readonly log?: NodeLog
}

/** Takes a line for a log: how grave it is, what happened, and its particulars. */
export type NodeLog = (
  level: 'debug' | 'info' | 'warn',
  text: string,
  fields?: Readonly<Record<string, unknown>>,
) => void
