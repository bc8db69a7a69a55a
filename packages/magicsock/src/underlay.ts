// The way out for packets of established sessions. Control work (disco, STUN, relay connections) leaves by
// `MagicSock.poll`; data leaves through this seat, so that a packet costs no object.
import type { Hop } from './hop.ts'

/**
 * What the owner of a {@link MagicSock} lends it to send data with.
 *
 * Both calls come from inside {@link MagicSock.send}, must not call back into the machine, and must not throw.
 * `bytes` are lent: they may be overwritten as soon as the call returns.
 */
export interface Underlay {
  /**
   * Sends one UDP datagram. `to` is the same object for as long as the path stays the same. Its tunnel is in the bytes
   * already; its door, if any, is the socket to use.
   */
  sendDatagram(to: Hop, bytes: Uint8Array): void
  /**
   * Sends one packet to a node through a relay region.
   *
   * The connection may not be there yet: a `connect-relay` output then follows, and the owner keeps a few packets
   * until the relay takes them. `to` is the node's public key, 32 bytes.
   */
  sendRelay(region: number, to: Uint8Array, bytes: Uint8Array): void
}
