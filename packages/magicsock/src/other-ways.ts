// What is tried when pings alone find no direct path: tunnels on peer relays, and a search for the port of a NAT that
// gives each destination its own.
import type { OtherWaysMessage } from './conversation.ts'
import type { Hop } from './hop.ts'
import type { TunnelGrantor } from './peer-relay/grantor.ts'
import type { TunnelSeeker } from './peer-relay/tunnel-seeker.ts'
import type { Peer } from './peer.ts'
import type { SentPing } from './pings.ts'
import type { Doors } from './port-search/doors.ts'
import type { PortSearch } from './port-search/port-search.ts'

/** Tries. */
export class OtherWays {
  readonly #tunnels: TunnelSeeker
  readonly #doors: Doors | undefined
  readonly #search: PortSearch | undefined

  /** @param ports - The two sides of a search for ports; none where no doors can be opened. */
  constructor(
    tunnels: TunnelSeeker,
    ports: { readonly doors: Doors; readonly search: PortSearch } | undefined,
  ) {
    this.#tunnels = tunnels
    this.#doors = ports?.doors
    this.#search = ports?.search
  }

  /** Says which peers there are. */
  setPeers(peers: Iterable<Peer>): void {
    this.#tunnels.setServers([...peers].filter(({ config }) => config.servesAsRelay === true))
  }

  /** How many peer relays there are, our own among them. */
  get peerRelays(): number {
    return this.#tunnels.size
  }

  /** Says which peer relay this node is itself. */
  setGrantor(grantor: TunnelGrantor | undefined): void {
    this.#tunnels.setGrantor(grantor)
  }

  /** Begins what is worth beginning now. */
  seek(peer: Peer, now: number): void {
    this.#tunnels.seek(peer, now)
    this.#doors?.consider(peer, now)
  }

  /** Takes a message from a peer. */
  handleMessage(message: OtherWaysMessage, from: Peer, now: number): void {
    if (message.kind === 'doors-offer') this.#search?.handleOffer(message, from, now)
    else if (message.kind === 'doors-accept') this.#doors?.handleAccept(message, from, now)
    else this.#tunnels.handleMessage(message, from, now)
  }

  /** Takes a disco packet of a peer relay's. Returns false when nobody waits for it. */
  handleControl(packet: Uint8Array, from: Hop, now: number): boolean {
    return this.#tunnels.handleControl(packet, from, now)
  }

  /** Hears that a ping has come out of a tunnel. */
  handleTunnelPing(from: Hop, now: number): void {
    this.#tunnels.handlePing(from, now)
  }

  /** Hears that a ping through a new tunnel has been answered. */
  handleTunnelPong(ping: SentPing, now: number): void {
    this.#tunnels.handlePong(ping, now)
  }

  /** Hears that a peer has come in by a door, or answers through it. */
  noteGuest(door: number, peer: Peer, now: number): void {
    this.#doors?.noteGuest(door, peer, now)
  }

  /** Gives up everything under way to a peer. */
  forgetPeer(peer: Peer): void {
    this.#tunnels.forgetPeer(peer)
    this.#doors?.forgetPeer(peer)
    this.#search?.forgetPeer(peer)
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#tunnels.handleTimeout(now)
    this.#doors?.handleTimeout(now)
    this.#search?.handleTimeout(now)
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    const doors = this.#doors?.pollTimeout() ?? Infinity
    const search = this.#search?.pollTimeout() ?? Infinity
    return Math.min(this.#tunnels.pollTimeout(), doors, search)
  }
}
