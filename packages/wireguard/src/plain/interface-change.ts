// What can be changed about a plain WireGuard interface, and what it says of itself: the UAPI's own vocabulary, in bytes.
import type { Endpoint, Prefix } from '@mesh/wire/ip'

/** Changes to one peer. What is left out stays as it is. */
export interface PeerChange {
  /** Who: its static public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** Forget it. */
  readonly remove?: boolean
  /** Change it only if it is there already. */
  readonly updateOnly?: boolean
  /** 32 bytes both know beforehand; zeros for none. */
  readonly presharedKey?: Uint8Array
  /** Where its datagrams go until it is heard from elsewhere. */
  readonly endpoint?: Endpoint
  /** Seconds of silence after which an empty packet is sent; 0 for never. */
  readonly keepalive?: number
  /** Forget its allowed IPs before the new ones are added. */
  readonly replaceAllowedIps?: boolean
  /** Addresses that become its alone, and with `remove` those it loses. */
  readonly allowedIps?: readonly { readonly prefix: Prefix; readonly remove: boolean }[]
}

/** Changes to an interface. What is left out stays as it is. */
export interface InterfaceChange {
  /** Own static private key, 32 bytes; zeros for none. */
  readonly privateKey?: Uint8Array
  /** The UDP port to listen at; 0 for any. */
  readonly listenPort?: number
  /** The mark of what is sent, for routing rules; 0 for none. */
  readonly fwmark?: number
  /** Forget all peers but those that are named here. */
  readonly replacePeers?: boolean
  /** Peers that are added, changed or removed, in this order. */
  readonly peers?: readonly PeerChange[]
}

/** What an interface says of one peer. */
export interface PeerStatus {
  readonly publicKey: Uint8Array
  readonly presharedKey: Uint8Array | undefined
  /** Where its datagrams go. */
  readonly endpoint: Endpoint | undefined
  readonly allowedIps: readonly Prefix[]
  /** Seconds; 0 for never. */
  readonly keepalive: number
  /** Wall time of the last handshake in milliseconds since 1970; `undefined` for never. */
  readonly lastHandshakeTime: number | undefined
  /** Bytes of datagrams, headers and padding with them. */
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** What an interface says of itself. */
export interface InterfaceStatus {
  readonly privateKey: Uint8Array | undefined
  readonly listenPort: number
  readonly fwmark: number
  readonly peers: readonly PeerStatus[]
}
