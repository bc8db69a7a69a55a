// Pings on their way: remembered until their pong or five seconds, found by transaction id.
import type { Hop } from './hop.ts'
import type { Peer } from './peer.ts'

/** How long a ping may take. */
export const PING_TIMEOUT = 5_000
/** Bytes of a transaction id. */
export const TX_ID_LENGTH = 12

/** Bytes of a ping packet without padding. */
export const PING_PACKET_LENGTH = 124
/** The largest ping packet there may be: it still fits into a datagram, and through a relay. */
export const MAX_PING_SIZE = 65_475

/**
 * Why a ping was sent. `asked` is for somebody who waits for the result, `tunnel` to see whether a peer relay's new
 * tunnel carries; `search` is one of many by which a port is looked for; `lifetime` comes after a silence of chosen length;
 * `mtu` is as large as a packet that may not pass.
 */
export type PingPurpose = 'discovery' | 'heartbeat' | 'asked' | 'tunnel' | 'search' | 'lifetime' | 'mtu'

/** Tells whether a ping is a guess, whose failing says nothing of the peer or its path. */
export function isGuess({ purpose }: Pick<PingErrand, 'purpose'>): boolean {
  return purpose === 'search' || purpose === 'mtu'
}

/** What a ping is sent for. */
export interface PingErrand {
  readonly purpose: PingPurpose
  /** The number of the ping that somebody asked for; 0 for the others. */
  readonly asked: number
  /** Bytes of the disco packet, to try whether such a packet passes; 0 for as small as can be. */
  readonly size: number
}

/** Returns the errand of a ping that nobody waits for. */
export function unasked(purpose: PingPurpose): PingErrand {
  return { purpose, asked: 0, size: 0 }
}

/** A ping that has not been answered yet. */
export interface SentPing extends PingErrand {
  /** To whom. */
  readonly peer: Peer
  /** Where: an address, a tunnel on a peer relay, or a relay region. */
  readonly to: Hop | number
  /** When. */
  readonly at: number
}

/** The pings on their way. All live equally long, so the first sent is the first to expire. */
export class SentPings {
  readonly #byTxId = new Map<string, SentPing>()

  /** Remembers a ping. */
  add(txId: string, ping: SentPing): void {
    this.#byTxId.set(txId, ping)
  }

  /** Returns the ping with this transaction. */
  get(txId: string): SentPing | undefined {
    return this.#byTxId.get(txId)
  }

  /** Forgets an answered ping. */
  delete(txId: string): void {
    this.#byTxId.delete(txId)
  }

  /** Removes and returns the first ping whose time is over. */
  takeExpired(now: number): SentPing | undefined {
    for (const [txId, ping] of this.#byTxId) {
      if (now < ping.at + PING_TIMEOUT) return undefined
      this.#byTxId.delete(txId)
      return ping
    }
    return undefined
  }

  /** Forgets the pings to a peer. */
  forgetPeer(peer: Peer): void {
    for (const [txId, ping] of this.#byTxId) if (ping.peer === peer) this.#byTxId.delete(txId)
  }

  /** Returns when the next one expires. */
  nextExpiry(): number {
    for (const ping of this.#byTxId.values()) return ping.at + PING_TIMEOUT
    return Infinity
  }
}

/** Returns a transaction id as a key of a table. */
export function txIdText(txId: Uint8Array): string {
  return String.fromCharCode(...txId)
}
