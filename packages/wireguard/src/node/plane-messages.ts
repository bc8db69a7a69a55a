// What the control thread and the packet thread of a Linux data plane say to each other. Keys travel in shared memory,
// which the packet thread overwrites once it has them; everything else is copied.
import type { Endpoint } from '@mesh/wire/ip'
import type { DropReason, PeerCounters, PeerRoutes } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'

/** File descriptors; -1 for none. `segments` says whether the kernel cuts up what is sent. */
export interface PlaneSocketNumbers {
  readonly v4: number
  readonly v6: number
  readonly segments: boolean
}

/** What a packet thread is started with. */
export interface PlaneStart {
  /** Which of the plane's threads it is. */
  readonly lane: number
  /**
   * What it takes. The threads of a pair take turns with the packets of the host: while there are few, who takes the
   * datagrams takes those too, and so answers without waking anybody; when there are many the other one does.
   */
  readonly takes: {
    readonly overlay: 'always' | 'when-quiet' | 'when-busy'
    /** Who takes datagrams opens them: a session's replay window has one owner. */
    readonly underlay: boolean
  }
  /** The word that says whose turn it is (0 is `when-quiet`), and the eventfd that wakes the other one. */
  readonly turn: { readonly word: SharedArrayBuffer; readonly wakes: number }
  /** Whether it speaks for the plane: of several that seal, one sends what is to be sent once. */
  readonly leads: boolean
  /** Threads that open, and which of them this is: each opens the sessions whose local index says so. */
  readonly openers: number
  readonly opener: number
  /** Rings that tell the filters of those that open about flows of the host: the one it writes, and those it reads. */
  readonly flows: {
    readonly writes: SharedArrayBuffer | undefined
    readonly reads: readonly SharedArrayBuffer[]
  }
  /** The TUN's file descriptor (of its queue), non-blocking, with virtio headers. */
  readonly tun: number
  /** The sockets; -1 for none. `segments` says whether the kernel cuts up what is sent. */
  readonly sockets: PlaneSocketNumbers
  /** The eventfd that wakes the thread. */
  readonly wakeUp: number
  /** The overlay's MTU. */
  readonly mtu: number
  /**
   * Whether this is plain WireGuard: authentic data moves a peer's path at once, before the control thread has heard of it,
   * and nothing but WireGuard's messages is of use.
   */
  readonly roams: boolean
  /** Words shared between the two, see {@link SHARED_MESSAGES}. */
  readonly shared: SharedArrayBuffer
  /** What the control thread's clock said when `process.hrtime` said this. */
  readonly clock: { readonly now: number; readonly seconds: number; readonly nanoseconds: number }
  /** A module whose export `createJudge` makes the packet filter, and what it is given. */
  readonly judge: { readonly module: string; readonly options: unknown } | undefined
  /** Which bulk crypto to use; the fastest when left out. */
  readonly aead: 'wasm' | undefined
}

/** Shared words: how many messages were posted to the packet thread; how many reports wait for the control thread. */
export const SHARED_MESSAGES = 0
export const SHARED_REPORTS = 1
/** Shared words: messages with packets that were posted to the packet thread and wait for it, and their bytes. */
export const SHARED_CARGOES = 2
export const SHARED_CARGO_BYTES = 3
export const SHARED_WORDS = 16

/**
 * Reports under way at most. At that the thread posts no more until the control thread has heard some; datagrams and
 * packets that come meanwhile are dropped and counted, all else is said later.
 */
export const MAX_REPORTS = 64

/**
 * Messages with packets, and bytes in them, that may wait for a packet thread: peers and programs choose how much of this
 * there is. What is more is dropped and counted; settings are never.
 */
export const MAX_CARGOES = 4_096
export const MAX_CARGO_BYTES = 4 * 1024 * 1024

/** Sources of datagrams that the control thread handed over begin here; below are the packet thread's own. */
export const FOREIGN_SOURCE = 0x4000_0000

/**
 * Returns which of several threads opens the session with this local index: that of the socket to which the kernel steers
 * its datagrams, since the index stands in them at the same place (udp-port.ts).
 */
export function openerOf(localIndex: number, openers: number): number {
  const swapped =
    ((localIndex & 0xff) << 24) |
    ((localIndex & 0xff00) << 8) |
    ((localIndex >>> 8) & 0xff00) |
    (localIndex >>> 24)
  return (swapped >>> 0) % openers
}

/** What the control thread says. */
export type PlaneCommand =
  | { readonly kind: 'routes'; readonly peers: readonly PeerRoutes[] }
  | {
      readonly kind: 'session'
      readonly peer: PeerId
      readonly localIndex: number
      readonly remoteIndex: number
      readonly initiator: boolean
      readonly createdAt: number
      /** 32 bytes that seal, then 32 that open. */
      readonly keys: SharedArrayBuffer
      /** The words that threads which seal with it share, when there are several. */
      readonly shared: SharedArrayBuffer | undefined
    }
  /** A session that its peer began was heard on another thread: it is the one in use now. */
  | { readonly kind: 'confirm'; readonly peer: PeerId; readonly localIndex: number }
  | { readonly kind: 'end-sessions'; readonly peer: PeerId }
  | { readonly kind: 'drop-staged'; readonly peer: PeerId }
  | { readonly kind: 'priority-packet'; readonly peer: PeerId; readonly packet: Uint8Array | undefined }
  | { readonly kind: 'keepalive'; readonly peer: PeerId }
  /** Where a peer's datagrams go; nowhere: up to the control thread. */
  | { readonly kind: 'path'; readonly peer: PeerId; readonly endpoint: Endpoint | undefined }
  /** Packets to be sealed. */
  | { readonly kind: 'packets'; readonly packets: readonly Uint8Array[] }
  /** Datagrams to be opened. */
  | {
      readonly kind: 'datagrams'
      readonly datagrams: readonly Uint8Array[]
      /** Where they came from: an endpoint when the plane's own sockets took them, on a thread that may not open them. */
      readonly sources: readonly (Endpoint | number)[]
    }
  /** Packets for the host. */
  | { readonly kind: 'to-host'; readonly packets: readonly Uint8Array[] }
  /** Other sockets from now on. The thread answers `moved` once it has let go of those before. */
  | { readonly kind: 'sockets'; readonly sockets: PlaneSocketNumbers }
  /** Something for the packet filter. */
  | { readonly kind: 'judge'; readonly message: unknown }
  | { readonly kind: 'stop' }

/** Returns the packets that a command carries; a setting carries none. */
export function cargoOf(command: PlaneCommand): readonly Uint8Array[] {
  if (command.kind === 'datagrams') return command.datagrams
  return command.kind === 'packets' || command.kind === 'to-host' ? command.packets : NO_CARGO
}

const NO_CARGO: readonly Uint8Array[] = []

/** Returns how many bytes they have. */
export function bytesOf(cargo: readonly Uint8Array[]): number {
  return cargo.reduce((sum, { length }) => sum + length, 0)
}

/** What happened with a peer since the last report, and its sums. */
export interface PeerNews {
  readonly peer: PeerId
  readonly activity: number
  readonly sentBytes: number
  readonly receivedBytes: number
  readonly sentPackets: number
  readonly receivedPackets: number
  /** The part of these sums that took the thread's own sockets. */
  readonly direct: PeerCounters
}

/** Where authentic data of a peer came from: an endpoint, or what the control thread named it by. */
export interface SourceNews {
  readonly peer: PeerId
  readonly source: Endpoint | number
}

/** A send that failed: the negative error number, and where it went. */
export interface TroubleNews {
  readonly result: number
  readonly to: Endpoint
}

/** What the packet thread says, in the order in which it is to be heard. */
export interface PlaneReport {
  readonly kind: 'report'
  readonly datagrams: readonly { readonly bytes: Uint8Array; readonly source: Endpoint | number }[]
  readonly packets: readonly { readonly bytes: Uint8Array; readonly peer: PeerId }[]
  /** Sealed datagrams for peers without a path here. */
  readonly sealed: readonly { readonly bytes: Uint8Array; readonly peer: PeerId }[]
  readonly sources: readonly SourceNews[]
  readonly peers: readonly PeerNews[]
  readonly ended: readonly number[]
  /** Sessions begun by their peers that are in use now. */
  readonly confirmed: readonly { readonly peer: PeerId; readonly localIndex: number }[]
  readonly troubles: readonly TroubleNews[]
  readonly counters: {
    readonly sealed: number
    readonly opened: number
    readonly drops: Readonly<Record<DropReason, number>>
    readonly sendErrors: number
    readonly hostDrops: number
    readonly overflow: number
  }
}

/** Everything the packet thread posts. */
export type PlaneNews =
  | PlaneReport
  /** It runs, and with this crypto. */
  | { readonly kind: 'ready'; readonly aead: string; readonly missing: readonly string[] }
  /** It uses the sockets it was given last, and no others. */
  | { readonly kind: 'moved' }
  /** The kernel would not cut up a train on its way: from now on datagrams go one by one. */
  | { readonly kind: 'no-segments' }
  /** Reading the TUN failed with a negative error number: the interface is gone. */
  | { readonly kind: 'tun-lost'; readonly result: number }
