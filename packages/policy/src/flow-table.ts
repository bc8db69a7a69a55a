// The last 512 outbound flows, oldest forgotten first, with no time limit (data-plane §7.4). A hash table with chains
// and a list by age, both in flat arrays: looking up or noting a flow makes no object.

import type { IpPacket } from '@mesh/wire/ip'

/** Words of 32 bits of a flow's key: its ports, its protocol, then the local and the remote address. */
const KEY_WORDS = 10
const PROTOCOL = 1
const LOCAL = 2
const REMOTE = 6
/** How many flows are remembered. */
const CAPACITY = 512
const BUCKETS = 1024
const NONE = -1

/** Remembers the most recently used flows. */
export class FlowTable {
  readonly #key = new Int32Array(KEY_WORDS)
  readonly #keys = new Int32Array(CAPACITY * KEY_WORDS)
  readonly #heads = new Int32Array(BUCKETS).fill(NONE)
  readonly #chain = new Int32Array(CAPACITY).fill(NONE)
  readonly #newer = new Int32Array(CAPACITY).fill(NONE)
  readonly #older = new Int32Array(CAPACITY).fill(NONE)
  #newest = NONE
  #oldest = NONE
  #size = 0

  /** Remembers the flow of a packet that leaves, or makes it the newest when it is known. */
  note(packet: IpPacket): void {
    const key = this.#key
    key[0] = (packet.sourcePort << 16) | packet.destinationPort
    key[PROTOCOL] = packet.protocol
    this.#writeAddress(LOCAL, packet, packet.sourceOffset)
    this.#writeAddress(REMOTE, packet, packet.destinationOffset)
    const known = this.#find(key)
    if (known === this.#newest && known !== NONE) return
    if (known !== NONE) this.#unlink(known)
    const slot = known !== NONE ? known : this.#claim(key)
    this.#linkNewest(slot)
  }

  /** Tells whether a packet that came in answers a flow that is remembered, and makes it the newest. */
  knowsAnswer(packet: IpPacket): boolean {
    const key = this.#key
    key[0] = (packet.destinationPort << 16) | packet.sourcePort
    key[PROTOCOL] = packet.protocol
    this.#writeAddress(LOCAL, packet, packet.destinationOffset)
    this.#writeAddress(REMOTE, packet, packet.sourceOffset)
    const slot = this.#find(key)
    if (slot === NONE) return false
    if (slot === this.#newest) return true
    this.#unlink(slot)
    this.#linkNewest(slot)
    return true
  }

  #writeAddress(word: number, { bytes, addressLength }: IpPacket, at: number): void {
    for (let i = 0; i < 4; i += 1) {
      const from = at + i * 4
      this.#key[word + i] = i * 4 < addressLength ? wordAt(bytes, from) : 0
    }
  }

  #find(key: Int32Array): number {
    let slot = this.#heads[bucketOf(key, 0)] as number
    while (slot !== NONE && !this.#holds(slot, key)) slot = this.#chain[slot] as number
    return slot
  }

  #holds(slot: number, key: Int32Array): boolean {
    const at = slot * KEY_WORDS
    for (let i = 0; i < KEY_WORDS; i += 1) if (this.#keys[at + i] !== key[i]) return false
    return true
  }

  #claim(key: Int32Array): number {
    const slot = this.#size < CAPACITY ? this.#size++ : this.#evict()
    this.#keys.set(key, slot * KEY_WORDS)
    const bucket = bucketOf(key, 0)
    this.#chain[slot] = this.#heads[bucket] as number
    this.#heads[bucket] = slot
    return slot
  }

  #evict(): number {
    const slot = this.#oldest
    this.#unlink(slot)
    const bucket = bucketOf(this.#keys, slot * KEY_WORDS)
    if (this.#heads[bucket] === slot) this.#heads[bucket] = this.#chain[slot] as number
    else this.#unchain(this.#heads[bucket] as number, slot)
    return slot
  }

  #unchain(head: number, slot: number): void {
    let before = head
    while (this.#chain[before] !== slot) before = this.#chain[before] as number
    this.#chain[before] = this.#chain[slot] as number
  }

  #unlink(slot: number): void {
    const newer = this.#newer[slot] as number
    const older = this.#older[slot] as number
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
  }

  #linkNewest(slot: number): void {
    this.#newer[slot] = NONE
    this.#older[slot] = this.#newest
    if (this.#newest === NONE) this.#oldest = slot
    else this.#newer[this.#newest] = slot
    this.#newest = slot
  }
}

/** Signed, for a number above 2^31 may be an object. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** FNV-1a over the words, folded to a bucket. */
function bucketOf(keys: Int32Array, at: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < KEY_WORDS; i += 1) hash = Math.imul(hash ^ (keys[at + i] as number), 0x01000193)
  return ((hash >>> 16) ^ hash) & (BUCKETS - 1)
}
