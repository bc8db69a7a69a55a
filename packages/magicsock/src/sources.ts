// From where a datagram came to whose it is. Two ways in: a disco ping or pong of that peer vouched for the
// address, or WireGuard authenticated a packet from it. Used to attribute what comes, never to choose where to
// send (data-plane.md sections 5.3 and 5.9).
import { keepHop } from './endpoint-key.ts'
import { type Hop, sameHop } from './hop.ts'
import { HopTable } from './hop-table.ts'
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

/** The table of sources. */
export class Sources {
  readonly #owners = new HopTable()
  /** In the order in which they were learned. */
  readonly #byPeer = new Map<PeerId, Hop[]>()
  /** The sources with a token, and their tokens, each where its token says. */
  readonly #ring: (Hop | RelaySource | undefined)[] = []
  readonly #tokens = new Int32Array(RING_LENGTH)
  /** The token given last. */
  #token = NO_SOURCE
  /** The answer to the last question: packets come in runs, and shells pass one object for one source. */
  #lastFrom: Hop | undefined
  #lastOwner: PeerId = UNKNOWN_PEER
  #taken: Hop | RelaySource | undefined

  /** Returns whose source this is, or {@link UNKNOWN_PEER}. */
  owner(from: Hop): PeerId {
    if (from === this.#lastFrom) return this.#lastOwner
    this.#lastFrom = from
    this.#lastOwner = this.#owners.get(from)
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

  /** Notes that a datagram came through a relay. The same source is recognised when it is the same object. */
  noteTakenByRelay(from: RelaySource): void {
    this.#taken = from
  }

  /** Returns a token for `from`, good until a thousand others have been given. Never {@link NO_SOURCE}. */
  token(from: Hop | RelaySource): number {
    if (this.#ring[this.#token % RING_LENGTH] === from) return this.#token
    this.#token = this.#token === MAX_TOKEN ? NO_SOURCE + 1 : this.#token + 1
    this.#ring[this.#token % RING_LENGTH] = from
    this.#tokens[this.#token % RING_LENGTH] = this.#token
    return this.#token
  }

  /** Returns the source behind a token, or `undefined` when it is too old. */
  sourceOf(token: number): Hop | RelaySource | undefined {
    const at = token % RING_LENGTH
    return this.#tokens[at] === token ? this.#ring[at] : undefined
  }

  /** Gives a source to a peer, whoever had it before. */
  assign(from: Hop, peer: PeerId): void {
    const before = this.#owners.get(from)
    if (before === peer) return
    if (before !== UNKNOWN_PEER) this.#takeFrom(before, from)
    const mine = this.#byPeer.get(peer) ?? []
    this.#byPeer.set(peer, mine)
    this.#owners.set(from, peer)
    mine.push(keepHop(from))
    if (mine.length > MAX_SOURCES_PER_PEER) this.#owners.delete(mine.shift()!)
    this.#lastFrom = undefined
  }

  /** Forgets every source of a peer. */
  forgetPeer(peer: PeerId): void {
    for (const hop of this.#byPeer.get(peer) ?? []) this.#owners.delete(hop)
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

  #takeFrom(peer: PeerId, source: Hop): void {
    const theirs = this.#byPeer.get(peer) ?? []
    const at = theirs.findIndex((hop) => sameHop(hop, source))
    if (at >= 0) theirs.splice(at, 1)
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
