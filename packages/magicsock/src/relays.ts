// Which relay connections there are, and through which one a peer is reached: the home is always open, others
// while they are written to (data-plane.md section 2.14).
import type { RandomSource } from '@mesh/sansio'
import type { PeerId } from './peer-config.ts'
import type { RelayMap, RelayRegion } from './relay-map.ts'

/** A connection that is not the home's is closed when nothing was sent on it for this long. */
export const RELAY_INACTIVE_CLEANUP_TIME = 60_000
/** How often that is looked at. */
export const RELAY_CLEAN_STALE_INTERVAL = 15_000

interface Link {
  writtenAt: number
  heardAt: number
}

/** What relays ask of their owner. */
export interface RelayOrders {
  /** Opens a connection. */
  connectRelay(region: number): void
  /** Closes one. */
  closeRelay(region: number): void
}

/** The relay connections and the routes learned on them. */
export class Relays {
  readonly #orders: RelayOrders
  readonly #links = new Map<number, Link>()
  /** On which region a peer was last heard. */
  readonly #routes = new Map<PeerId, number>()
  /** Whether control can be asked. */
  isControlConnected = true
  #map: RelayMap = new Map()
  #home = 0
  #sweepAt = Infinity

  constructor(orders: RelayOrders) {
    this.#orders = orders
  }

  /** The home region; 0 while there is none. */
  get home(): number {
    return this.#home
  }

  /** When something last came from the home region. */
  get homeHeardAt(): number {
    return this.#links.get(this.#home)?.heardAt ?? -Infinity
  }

  /** Takes another map. Connections to regions that are gone or redefined are closed, the home's too. */
  setMap(map: RelayMap): void {
    for (const region of this.#links.keys()) {
      if (isSameRegion(this.#map.get(region), map.get(region))) continue
      this.#close(region)
      if (region === this.#home) this.#home = 0
    }
    this.#map = map
  }

  /**
   * Moves home to the preferred region; when nothing was measured (0) it stays, or is any at all. Without control it stays
   * too, for no peer would hear of another. Returns whether it is another one than before.
   */
  moveHome(preferred: number, random: RandomSource, now: number): boolean {
    if (this.#home !== 0 && !this.isControlConnected) return false
    const region = preferred === 0 ? this.#home || this.#anyRegion(random) : preferred
    if (region === this.#home) return false
    this.#home = region
    if (region !== 0) this.#open(region, now)
    // What was home until now idles like any other.
    this.#sweepAt = Math.min(this.#sweepAt, now + RELAY_CLEAN_STALE_INTERVAL)
    return true
  }

  /**
   * Returns the region through which to send to a peer now, and opens it when it is not open; 0 when there is none.
   *
   * First an open connection to the peer's home; then one on which the peer was heard; then its home, dialled.
   */
  route(peer: PeerId, peerHome: number, now: number): number {
    const link = this.#links.get(peerHome)
    if (link !== undefined) {
      link.writtenAt = now
      return peerHome
    }
    const heardOn = this.#routes.get(peer)
    const learned = heardOn === undefined ? undefined : this.#links.get(heardOn)
    if (learned !== undefined) {
      learned.writtenAt = now
      return heardOn!
    }
    if (!this.#map.has(peerHome)) return 0
    this.#open(peerHome, now)
    return peerHome
  }

  /** Returns the region through which a peer would be reached, without opening anything; 0 when there is none. */
  peek(peer: PeerId, peerHome: number): number {
    if (this.#links.has(peerHome)) return peerHome
    const heardOn = this.#routes.get(peer)
    if (heardOn !== undefined && this.#links.has(heardOn)) return heardOn
    return this.#map.has(peerHome) ? peerHome : 0
  }

  /** Notes that something was sent on a connection beside the usual way. */
  noteWrite(region: number, now: number): void {
    const link = this.#links.get(region)
    if (link !== undefined) link.writtenAt = now
  }

  /** Notes that a region is alive. */
  noteHeard(region: number, now: number): void {
    const link = this.#links.get(region)
    if (link !== undefined) link.heardAt = now
  }

  /** Notes that a peer was heard on a region. */
  notePeerHeard(region: number, peer: PeerId): void {
    if (this.#links.has(region) && this.#routes.get(peer) !== region) this.#routes.set(peer, region)
  }

  /** Forgets that a peer was heard on a region. */
  forgetRoute(region: number, peer: PeerId): void {
    if (this.#routes.get(peer) === region) this.#routes.delete(peer)
  }

  /** Forgets a peer. */
  forgetPeer(peer: PeerId): void {
    this.#routes.delete(peer)
  }

  /** Forgets the routes learned on a region: its connection broke. */
  forgetRoutes(region: number): void {
    for (const [peer, heardOn] of this.#routes) if (heardOn === region) this.#routes.delete(peer)
  }

  /** Closes what has been idle too long. */
  handleTimeout(now: number): void {
    if (now < this.#sweepAt) return
    for (const [region, link] of this.#links) {
      if (region !== this.#home && now - link.writtenAt > RELAY_INACTIVE_CLEANUP_TIME) this.#close(region)
    }
    const others = this.#links.size - (this.#links.has(this.#home) ? 1 : 0)
    this.#sweepAt = others > 0 ? now + RELAY_CLEAN_STALE_INTERVAL : Infinity
  }

  /** Returns when to look for idle connections. */
  pollTimeout(): number {
    return this.#sweepAt
  }

  /** Not always the same: those who cannot measure are not to crowd one relay. */
  #anyRegion(random: RandomSource): number {
    const eligible = [...this.#map.values()].filter((region) => !region.noMeasureNoHome)
    return eligible[(random(1)[0] ?? 0) % eligible.length]?.id ?? 0
  }

  #open(region: number, now: number): void {
    if (this.#links.has(region)) return
    this.#links.set(region, { writtenAt: now, heardAt: -Infinity })
    if (region !== this.#home) this.#sweepAt = Math.min(this.#sweepAt, now + RELAY_CLEAN_STALE_INTERVAL)
    this.#orders.connectRelay(region)
  }

  #close(region: number): void {
    this.#links.delete(region)
    this.forgetRoutes(region)
    this.#orders.closeRelay(region)
  }
}

/** Whether a connection to the one is a connection to the other. Looked-up addresses are not part of it. */
function isSameRegion(a: RelayRegion | undefined, b: RelayRegion | undefined): boolean {
  if (a === undefined || b === undefined || a.nodes.length !== b.nodes.length) return false
  return a.nodes.every((node, i) => node.name === b.nodes[i]!.name && node.hostName === b.nodes[i]!.hostName)
}
