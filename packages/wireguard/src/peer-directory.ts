// The peers of a device, found by number, by public key and by index.
import type { Crypto, RandomSource } from '@mesh/noise'
import type { PeerId } from './packet-batch.ts'
import { Peer } from './peer.ts'
import type { PeerConfig } from './peer-config.ts'

/** Finds peers. Indices are random, so that a stranger cannot guess one (threat 24), and unique in the device. */
export class PeerDirectory {
  readonly #random: RandomSource
  readonly #byId = new Map<PeerId, Peer>()
  readonly #byKey = new Map<string, Peer>()
  readonly #byIndex = new Map<number, Peer>()

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** All peers. */
  all(): IterableIterator<Peer> {
    return this.#byId.values()
  }

  /** Returns the peer of this number. */
  get(id: PeerId): Peer | undefined {
    return this.#byId.get(id)
  }

  /** Returns the peer of this public key. */
  withKey(publicKey: Uint8Array): Peer | undefined {
    return this.#byKey.get(nameOf(publicKey))
  }

  /** Returns the peer that an index was made for. */
  withIndex(index: number): Peer | undefined {
    return this.#byIndex.get(index)
  }

  /** Takes a peer in, or what is new about one that is here; returns it. */
  put(crypto: Crypto, staticPrivate: Uint8Array, config: PeerConfig): Peer {
    const known = this.#byId.get(config.id)
    if (known !== undefined) {
      known.config = config
      return known
    }
    const peer = new Peer(crypto, staticPrivate, config)
    this.#byId.set(config.id, peer)
    this.#byKey.set(nameOf(config.publicKey), peer)
    return peer
  }

  /** Forgets a peer. Its indices go with {@link PeerDirectory.freeIndex}. */
  remove(peer: Peer): void {
    this.#byId.delete(peer.config.id)
    const name = nameOf(peer.config.publicKey)
    if (this.#byKey.get(name) === peer) this.#byKey.delete(name)
  }

  /** Makes an index for a peer. */
  newIndex(peer: Peer): number {
    for (;;) {
      const [a = 0, b = 0, c = 0, d = 0] = this.#random(4)
      const index = (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
      if (this.#byIndex.has(index)) continue
      this.#byIndex.set(index, peer)
      return index
    }
  }

  /** Gives an index back. */
  freeIndex(index: number): void {
    this.#byIndex.delete(index)
  }
}

function nameOf(publicKey: Uint8Array): string {
  return String.fromCharCode(...publicKey)
}
