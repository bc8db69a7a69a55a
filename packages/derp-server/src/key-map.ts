// A map from 32-byte keys, asked once a packet. A string made of the key would be an allocation a packet, so the
// bucket is a number: the key's words mixed with secret odd multipliers, so that nobody can choose keys that
// meet in one bucket.
import type { RandomSource } from '@mesh/sansio'

const KEY_LENGTH = 32
const WORDS = KEY_LENGTH / 4

interface Entry<V> {
  readonly key: Uint8Array
  readonly value: V
}

/** A map whose keys are 32 raw bytes, compared by content. */
export class KeyMap<V> {
  readonly #buckets = new Map<number, Entry<V>[]>()
  readonly #multipliers = new Int32Array(WORDS)
  #size = 0

  constructor(random: RandomSource) {
    const seed = random(KEY_LENGTH)
    for (let i = 0; i < WORDS; i += 1) this.#multipliers[i] = word(seed, 4 * i) | 1
  }

  get size(): number {
    return this.#size
  }

  /** Returns the value of `key`, or `undefined`. */
  get(key: Uint8Array): V | undefined {
    const bucket = this.#buckets.get(this.#hash(key))
    if (bucket === undefined) return undefined
    for (const entry of bucket) if (sameKey(entry.key, key)) return entry.value
    return undefined
  }

  /** Adds a key that is not yet there; `key` is kept, not copied. */
  add(key: Uint8Array, value: V): void {
    const hash = this.#hash(key)
    const bucket = this.#buckets.get(hash)
    if (bucket === undefined) this.#buckets.set(hash, [{ key, value }])
    else bucket.push({ key, value })
    this.#size += 1
  }

  /** Removes a key if it is there. */
  delete(key: Uint8Array): void {
    const hash = this.#hash(key)
    const bucket = this.#buckets.get(hash)
    if (bucket === undefined) return
    const left = bucket.filter((entry) => !sameKey(entry.key, key))
    this.#size -= bucket.length - left.length
    if (left.length === 0) this.#buckets.delete(hash)
    else this.#buckets.set(hash, left)
  }

  /** Returns the values, in no order. */
  *values(): IterableIterator<V> {
    for (const bucket of this.#buckets.values()) for (const entry of bucket) yield entry.value
  }

  #hash(key: Uint8Array): number {
    let hash = 0
    for (let i = 0; i < WORDS; i += 1) {
      hash = Math.imul(hash ^ word(key, 4 * i), this.#multipliers[i]!)
      hash ^= hash >>> 15
    }
    return hash
  }
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

// Public keys are no secrets: an early end tells nothing.
function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < KEY_LENGTH; i += 1) if (a[i] !== b[i]) return false
  return true
}
