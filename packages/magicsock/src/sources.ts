// From where a datagram came to whose it is. Two ways in: a disco ping or pong of that peer vouched for the
// address, or WireGuard authenticated a packet from it. Used to attribute what comes, never to choose where to
// send (data-plane.md sections 5.3 and 5.9).
import { type EndpointKey, endpointKey } from './endpoint-key.ts'
import type { Hop } from './hop.ts'
import { type PeerId, UNKNOWN_PEER } from './peer-config.ts'

/** The token of nothing. */
export const NO_SOURCE = 0

/** Where something came from through a relay: the region, and the sender's node key. */
export interface RelaySource {
  /** The relay's region. */
  readonly region: number
  /** The sender's public node key, 32 bytes. */
  readonly nodeKey: Uint8Array
}

/** How many sources have a token at a time; a flood from made-up addresses turns this ring, no more. */
const RING_LENGTH = 1_024
/** Tokens stay small integers; after this one they begin anew. */
const MAX_TOKEN = 2 ** 30 - 1
/** How many addresses one peer may be known by; the oldest go first. */
const MAX_SOURCES_PER_PEER = 64

interface Recent {
  readonly token: number
  readonly from: Hop | RelaySource
}

/** The table of sources. */
export class Sources {
  readonly #owners = new Map<EndpointKey, PeerId>()
  readonly #byPeer = new Map<PeerId, Set<EndpointKey>>()
  readonly #ring: (Recent | undefined)[] = []
  readonly #tokens = new WeakMap<Hop | RelaySource, number>()
  #token = NO_SOURCE
  /** The answer to the last question: packets come in runs, and shells pass one object for one source. */
  #lastFrom: Hop | undefined
  #lastOwner: PeerId = UNKNOWN_PEER
  #taken: Hop | RelaySource | undefined
  /** The last source behind a relay: packets come in runs, and a run shares one object. */
  #takenByRelay: RelaySource | undefined

  /** Returns whose source this is, or {@link UNKNOWN_PEER}. */
  owner(from: Hop): PeerId {
    if (from === this.#lastFrom) return this.#lastOwner
    this.#lastFrom = from
    this.#lastOwner = this.#owners.get(endpointKey(from)) ?? UNKNOWN_PEER
    return this.#lastOwner
  }

  /** A token for where the last datagram came from; {@link NO_SOURCE} before there was any. */
  get last(): number {
    return this.#taken === undefined ? NO_SOURCE : this.token(this.#taken)
  }

  /** Notes where a datagram came from, and returns whose source that is, or {@link UNKNOWN_PEER}. */
  noteTaken(from: Hop): PeerId {
    this.#taken = from
    return this.owner(from)
  }

  /** Notes that a datagram came through a relay. */
  noteTakenByRelay(region: number, nodeKey: Uint8Array): void {
    const last = this.#takenByRelay
    if (last?.region !== region || last.nodeKey !== nodeKey) this.#takenByRelay = { region, nodeKey }
    this.#taken = this.#takenByRelay
  }

  /** Returns a token for `from`, good until a thousand others have been asked for. Never {@link NO_SOURCE}. */
  token(from: Hop | RelaySource): number {
    const known = this.#tokens.get(from)
    if (known !== undefined && this.#ring[known % RING_LENGTH]?.token === known) return known
    this.#token = this.#token === MAX_TOKEN ? NO_SOURCE + 1 : this.#token + 1
    this.#ring[this.#token % RING_LENGTH] = { token: this.#token, from }
    this.#tokens.set(from, this.#token)
    return this.#token
  }

  /** Returns the source behind a token, or `undefined` when it is too old. */
  sourceOf(token: number): Hop | RelaySource | undefined {
    const recent = this.#ring[token % RING_LENGTH]
    return recent?.token === token ? recent.from : undefined
  }

  /** Gives a source to a peer, whoever had it before. */
  assign(from: Hop, peer: PeerId): void {
    const key = endpointKey(from)
    const before = this.#owners.get(key)
    if (before === peer) return
    if (before !== undefined) this.#byPeer.get(before)?.delete(key)
    const mine = this.#byPeer.get(peer) ?? new Set<EndpointKey>()
    this.#byPeer.set(peer, mine)
    this.#owners.set(key, peer)
    mine.add(key)
    if (mine.size > MAX_SOURCES_PER_PEER) this.#forgetOldest(mine)
    this.#lastFrom = undefined
  }

  /** Forgets every source of a peer. */
  forgetPeer(peer: PeerId): void {
    for (const key of this.#byPeer.get(peer) ?? []) this.#owners.delete(key)
    this.#byPeer.delete(peer)
    this.#lastFrom = undefined
  }

  /**
   * Returns bytes that name the source behind a token: port and address, or region and node key. No two sources share
   * them. `undefined` when the token is too old.
   */
  name(token: number): Uint8Array | undefined {
    const from = this.sourceOf(token)
    if (from === undefined) return undefined
    if (isRelaySource(from)) return bytesAfter(from.region, 4, from.nodeKey)
    const name = bytesAfter(from.port, 2, from.address)
    return from.vni === undefined ? name : bytesAfter(from.vni, 4, name)
  }

  #forgetOldest(keys: Set<EndpointKey>): void {
    for (const key of keys) {
      keys.delete(key)
      this.#owners.delete(key)
      return
    }
  }
}

/** Tells a source behind a relay from an endpoint. */
export function isRelaySource(from: Hop | RelaySource): from is RelaySource {
  return 'nodeKey' in from
}

function bytesAfter(number: number, width: number, bytes: Uint8Array): Uint8Array {
  const named = new Uint8Array(width + bytes.length)
  for (let i = 0; i < width; i += 1) named[i] = number >>> (8 * (width - 1 - i))
  named.set(bytes, width)
  return named
}
