// How the Linux filling of the data plane's seat is made, and what it tells its owner.
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { PeerId } from '../packet-batch.ts'

/** How a `LinuxDataPlane` is made. */
export interface LinuxDataPlaneOptions {
  /**
   * An open TUN with virtio headers, such as `openOffloadTun` of `@mesh/tun/node` gives. It stays the caller's to close. A
   * file descriptor of -1 is none. `queues` are file descriptors of further queues of the same TUN: each has threads of its
   * own, so that a machine with many cores can use them.
   */
  readonly tun: { readonly fd: number; readonly mtu: number; readonly queues?: readonly number[] }
  /**
   * How many threads a queue has: 1 for both directions, or 2, of which the second takes what the host sends while that is
   * much. When left out 2 on more than two processors; on two it was measured to gain nothing and to cost memory.
   */
  readonly threads?: 1 | 2
  /** The UDP port to ask for, of both families; any when left out. */
  readonly port?: number
  /** The IPv4 address to bind to, and then no IPv6; all of both families when left out. */
  readonly address?: IpAddress
  /** The monotonic clock in milliseconds; `performance.now` when left out. */
  readonly now?: () => number
  /** A module whose export `createJudge(options)` makes the packet filter of the thread. */
  readonly judge?: { readonly module: string; readonly options: unknown }
  /**
   * Whether this is plain WireGuard: authentic data moves a peer's path, and its answers go there at once, from the address of
   * ours that it spoke to; what is no message of WireGuard is dropped.
   */
  readonly roams?: boolean
  /** `wasm` to leave Node's OpenSSL alone. */
  readonly aead?: 'wasm'
  /** Hears that authentic data of a peer came straight from an endpoint. Said again now and then. */
  readonly onEndpoint?: (peer: PeerId, endpoint: Endpoint) => void
  /** Takes what the judge hands up: from the host (`peer` is -1) or from a peer. */
  readonly onPacket?: (packet: Uint8Array, peer: PeerId) => void
  /** Hears what is worth a line in a log. */
  readonly onEvent?: (event: LinuxDataPlaneEvent) => void
}

/** What happens with a `LinuxDataPlane`. */
export type LinuxDataPlaneEvent =
  /** The thread runs; which bulk crypto it uses, and why none faster. */
  | { readonly event: 'ready'; readonly aead: string; readonly missing: readonly string[] }
  /** A part is missing, and packets move slower without it. Each reason is said once. */
  | { readonly event: 'degraded'; readonly reason: string }
  /** The thread died and another was begun. */
  | { readonly event: 'restarted'; readonly reason: string }
  /** It died too often; no packet moves any more. */
  | { readonly event: 'failed'; readonly reason: string }
  /** The TUN is gone. */
  | { readonly event: 'tun-lost'; readonly reason: string }
