// What a magicsock is begun with.
import type { X25519 } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import type { Underlay } from './underlay.ts'

/** How {@link MagicSock} begins. */
export interface MagicSockOptions {
  /** Our node public key, 32 bytes: every disco ping carries it. */
  readonly nodeKey: Uint8Array
  /** Our disco private key, 32 bytes. A fresh one for each start of the process. */
  readonly discoPrivateKey: Uint8Array
  /** Where data packets go. */
  readonly underlay: Underlay
  /** Source of transaction ids, nonces and jitter. */
  readonly random: RandomSource
  /** Monotonic milliseconds. */
  readonly now: number
  /**
   * Loopback addresses are endpoints like any other: advertised, probed, and believed from STUN. For several
   * nodes on one machine. Otherwise they count only when the machine has no other address at all.
   */
  readonly allowLoopback?: boolean
  /** The UDP port was asked for by its number, so that a NAT may have been told to forward it. */
  readonly fixedPort?: boolean
  /** The owner can measure a relay over HTTPS: where no STUN server answers it is asked to. */
  readonly canMeasureRelays?: boolean
  /** The owner can ping by ICMP: where no STUN server answers it is asked to ping relays. */
  readonly canPingRelays?: boolean
  /** The owner can look for a captive portal: in full checks without UDP it is asked to. */
  readonly canCheckCaptivePortal?: boolean
  /**
   * Find peers behind NATs that give each destination another port, and be found behind such a one: the owner opens up to
   * 256 extra sockets (doors) for ten seconds at a time, and names them by `from.door`. Default: it does not.
   */
  readonly canOpenDoors?: boolean
  /** A faster X25519 than the portable one. */
  readonly x25519?: X25519
}
