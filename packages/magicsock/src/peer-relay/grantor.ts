// The seat for whoever grants tunnels: filled by PeerRelay, asked by a MagicSock whose node is a peer relay.
import type { RelayEndpoint } from '@mesh/wire/disco'
import type { PeerId } from '../peer-config.ts'

/** Grants tunnels on a peer relay of this node. */
export interface TunnelGrantor {
  /**
   * Returns the tunnel of two clients (their disco keys, sorted), a new one or the one they have; `undefined` while the
   * relay does not know where it can be reached, or is full, or who asks has as many as one may have.
   *
   * @param asker - The peer that asks; `undefined` for this node itself.
   */
  grant(
    clientDisco: readonly [Uint8Array, Uint8Array],
    asker: PeerId | undefined,
    now: number,
  ): RelayEndpoint | undefined
}
