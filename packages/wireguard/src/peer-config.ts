// What an owner says about a peer.
import type { Prefix } from '@mesh/wire/ip'
import type { PeerId } from './packet-batch.ts'

/** A peer: who it is and which addresses are its. */
export interface PeerConfig {
  /** The number it goes by in every call and callback. */
  readonly id: PeerId
  /** Its static public key, 32 bytes. A peer that comes back with another key is another peer. */
  readonly publicKey: Uint8Array
  /** 32 bytes both know beforehand; none (that is, zeros) in a tailnet. */
  readonly presharedKey?: Uint8Array
  /** Sources it may use inside the tunnel. */
  readonly allowedIps: readonly Prefix[]
  /** Sources inside `allowedIps` that are another peer's, for whoever wants an address to have one owner. */
  readonly excludedIps?: readonly Prefix[]
  /** Destinations that are sent to it; the same as `allowedIps` when left out. */
  readonly routes?: readonly Prefix[]
  /** The packet that opens every session with it, ahead of all others (data-plane.md 1.9). Copied; left out for none. */
  readonly priorityPacket?: Uint8Array
  /** Milliseconds of silence after which an empty packet is sent, to keep a NAT open; 0 or left out for never. */
  readonly keepalive?: number
}

/** What is known of a peer's handshakes. Times are monotonic milliseconds. */
export interface PeerSessionStatus {
  /** When the last handshake was completed; `undefined` for never. */
  readonly lastHandshakeAt: number | undefined
  /** Whether a handshake of ours is under way. */
  readonly handshaking: boolean
  /** Initiations sent again since the present attempt began. */
  readonly attempts: number
}
