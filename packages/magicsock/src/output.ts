// What comes out of the machine: control datagrams, relay connections to open and close, and news.
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { LocalEndpoint } from './endpoints.ts'
import type { Hop } from './hop.ts'
import type { NetcheckReport } from './netcheck-report.ts'
import type { PeerId } from './peer-config.ts'

/** The path a peer's packets take. */
export type PeerPath =
  | { readonly kind: 'direct'; readonly endpoint: Endpoint; readonly latency: number }
  /** Through the tunnel of this number (VNI) on the peer relay at this address. */
  | {
      readonly kind: 'peer-relay'
      readonly endpoint: Endpoint
      readonly vni: number
      readonly latency: number
    }
  | { readonly kind: 'relay'; readonly region: number }
  | { readonly kind: 'none' }

/** Which ways a ping takes: all that may work, or the peer's relay alone. */
export type PingWay = 'any' | 'relay'

/**
 * How a ping asked for by {@link MagicSock.ping} ended: with the address that answered (and the tunnel's number when
 * that is a peer relay's), the relay region, or why not.
 */
export type PingResult =
  | { readonly ok: true; readonly latency: number; readonly endpoint: Endpoint; readonly vni?: number }
  | { readonly ok: true; readonly latency: number; readonly region: number }
  | {
      readonly ok: false
      readonly reason: 'timeout' | 'no-path' | 'unknown-peer' | 'expired-peer' | 'closed'
    }

/** News for the owner. */
export type MagicSockEvent =
  /** The set of endpoints to advertise has changed. */
  | { readonly kind: 'event'; readonly event: 'endpoints'; readonly endpoints: readonly LocalEndpoint[] }
  /** Another region is home now; every relay connection wants to be told whether it is the preferred one. */
  | { readonly kind: 'event'; readonly event: 'home-relay'; readonly region: number }
  /** A netcheck has finished. */
  | { readonly kind: 'event'; readonly event: 'netcheck'; readonly report: NetcheckReport }
  /** Packets for this peer take another path from now on. */
  | { readonly kind: 'event'; readonly event: 'path-changed'; readonly peer: PeerId; readonly path: PeerPath }
  /** A peer came with a new disco key from control: it has restarted, and its sessions are stale. */
  | { readonly kind: 'event'; readonly event: 'peer-restarted'; readonly peer: PeerId }
  /** A ping has ended. */
  | {
      readonly kind: 'event'
      readonly event: 'ping'
      readonly peer: PeerId
      readonly ping: number
      readonly result: PingResult
    }

/** What a {@link MagicSock} asks of its owner. */
export type MagicSockOutput =
  /**
   * Send this datagram (STUN or disco), by the socket of `to.door` when it has one; that is opened by the first datagram.
   * `bytes` belong to the owner.
   */
  | { readonly kind: 'datagram'; readonly to: Hop; readonly bytes: Uint8Array }
  /** Close the socket of this door; nothing is sent by it any more. */
  | { readonly kind: 'close-door'; readonly door: number }
  /** Send this packet (disco) to a node through a relay region. `bytes` belong to the owner. */
  | { readonly kind: 'relay'; readonly region: number; readonly to: Uint8Array; readonly bytes: Uint8Array }
  /** Open a connection to this region and keep it, also through failures, until told to close it. */
  | { readonly kind: 'connect-relay'; readonly region: number }
  /** Close the connection to this region. */
  | { readonly kind: 'close-relay'; readonly region: number }
  /** Close and reopen the UDP sockets: sends fail in a way that only this heals. */
  | { readonly kind: 'rebind' }
  /**
   * Measure how long the relay of this region takes to answer over HTTPS, and tell `handleRelayMeasured`. Only when the
   * machine was told that its owner can.
   */
  | { readonly kind: 'measure-relay'; readonly region: number }
  /**
   * Ping the relay of this region by ICMP, at this address, and tell `handleRelayPinged`. Only when the machine was told that
   * its owner can.
   */
  | { readonly kind: 'ping-relay'; readonly region: number; readonly address: IpAddress }
  /**
   * Ping the host of this endpoint by ICMP, and tell `handleIcmp` with the same peer and endpoint. Whoever cannot tells
   * `undefined`.
   */
  | { readonly kind: 'icmp-ping'; readonly peer: PeerId; readonly endpoint: Endpoint }
  /** Find out whether there is a captive portal, and tell `handleCaptivePortal`. Only when the owner can. */
  | { readonly kind: 'check-captive-portal' }
  | MagicSockEvent
