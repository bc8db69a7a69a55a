// The peers there are, by number and by node key, and how a new list from control changes them.
import { isZeroKey, KEY_LENGTH } from '@mesh/keys'
import type { DiscoDirectory } from './disco-directory.ts'
import { KeyTable, sameKey } from './key-table.ts'
import type { PeerConfig, PeerId } from './peer-config.ts'
import { Peer, type PeerHost } from './peer.ts'

/** Who hears of changes that concern more than the set itself. */
export interface PeerSetListener {
  /** The peer is no more. */
  noteRemoved(peer: Peer): void
  /** The peer has another disco key; `restarted` when control says so and it had one before. */
  noteDiscoKey(peer: Peer, restarted: boolean): void
}

/** Numbers stand in tables of 32 bits, here and in the data plane. */
const MAX_ID = 2 ** 31 - 2

/** The set of peers. */
export class PeerSet {
  readonly #directory: DiscoDirectory
  readonly #host: PeerHost
  readonly #listener: PeerSetListener
  readonly #byId = new Map<PeerId, Peer>()
  readonly #byKey = new KeyTable<Peer>()

  constructor(directory: DiscoDirectory, host: PeerHost, listener: PeerSetListener) {
    this.#directory = directory
    this.#host = host
    this.#listener = listener
  }

  /** How many there are. */
  get size(): number {
    return this.#byId.size
  }

  /** Returns the peer with this number. */
  get(id: PeerId): Peer | undefined {
    return this.#byId.get(id)
  }

  /** Returns the peer with this node key. */
  byKey(nodeKey: Uint8Array): Peer | undefined {
    return this.#byKey.get(nodeKey)
  }

  /** Returns all. */
  values(): Iterable<Peer> {
    return this.#byId.values()
  }

  /**
   * Replaces the set. A peer that stays keeps its paths.
   *
   * @throws RangeError when a key is not 32 bytes or a number is none that a peer may have; then nothing has changed.
   */
  replace(configs: readonly PeerConfig[]): void {
    for (const config of configs) checkPeer(config)
    const listed = new Map(configs.map((config) => [config.id, config]))
    for (const peer of this.#byId.values()) {
      const config = listed.get(peer.id)
      if (config === undefined || !sameKey(config.nodeKey, peer.config.nodeKey)) this.#remove(peer)
    }
    for (const config of listed.values()) {
      const peer = this.#byId.get(config.id)
      if (peer === undefined) this.#add(config)
      else this.#update(peer, config)
    }
  }

  /** Takes a disco key that the peer itself has told; one that cannot be its own changes nothing. */
  learnDiscoKey(peer: Peer, discoKey: Uint8Array): void {
    if (discoKey.length !== KEY_LENGTH || isZeroKey(discoKey)) return
    if (peer.config.isWireGuardOnly === true) return
    if (isEqual(peer.disco?.key, discoKey) || sameKey(discoKey, this.#directory.ownKey)) return
    this.#rekey(peer, discoKey, false)
  }

  #add(config: PeerConfig): void {
    const peer = new Peer(config, this.#host)
    this.#byId.set(config.id, peer)
    this.#byKey.set(config.nodeKey, peer)
    this.#directory.enter(peer, discoKeyOf(config))
  }

  #update(peer: Peer, config: PeerConfig): void {
    const before = discoKeyOf(peer.config)
    // A key that the peer told by itself stays for as long as control only repeats what it said before.
    const discoKey = discoKeyOf(config)
    const isNews = !isEqual(before, discoKey) && !isEqual(peer.disco?.key, discoKey)
    peer.update(config)
    if (isNews) this.#rekey(peer, discoKey, before !== undefined)
  }

  #rekey(peer: Peer, discoKey: Uint8Array | undefined, restarted: boolean): void {
    this.#directory.enter(peer, discoKey)
    peer.forgetPaths()
    this.#listener.noteDiscoKey(peer, restarted)
  }

  #remove(peer: Peer): void {
    this.#directory.leave(peer)
    this.#byKey.delete(peer.config.nodeKey)
    this.#byId.delete(peer.id)
    this.#listener.noteRemoved(peer)
    peer.release()
  }
}

/** Whoever speaks WireGuard only has none, whatever is said. */
function discoKeyOf({ isWireGuardOnly, discoKey }: PeerConfig): Uint8Array | undefined {
  return isWireGuardOnly === true ? undefined : discoKey
}

/** @throws RangeError when `key` is not 32 bytes. */
export function checkKeyLength(key: Uint8Array, argument: string): void {
  if (key.length === KEY_LENGTH) return
  throw new RangeError(`${argument}: a key is ${KEY_LENGTH} bytes, this is ${key.length}`)
}

function checkPeer({ id, nodeKey, discoKey }: PeerConfig): void {
  if (!Number.isInteger(id) || id < 0 || id > MAX_ID)
    throw new RangeError(`peer.id: ${id} is not a natural number up to ${MAX_ID}`)
  checkKeyLength(nodeKey, 'peer.nodeKey')
  if (discoKey !== undefined) checkKeyLength(discoKey, 'peer.discoKey')
}

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameKey(a, b))
}
