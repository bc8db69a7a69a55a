// How packet filters on several threads know of each other's flows: a thread that takes what the host sends writes the
// beginning of each new flow's packet into a ring of shared memory, and the threads that take what the network sends show
// it to their own filter before they ask it about an answer. One writes, any number read; nobody waits.

/** Records in a ring; a reader that falls behind by half of them misses some. */
const RECORDS = 1_024
/** Bytes of a record: how many bytes of the packet there are, then those. */
const RECORD = 128
const HEADER = 4
const MAX_BYTES = RECORD - HEADER
/** Where the length stands in a header of IPv4, and in one of IPv6, which does not count itself. */
const LENGTH_V4 = 2
const LENGTH_V6 = 4
const IPV6_HEADER = 40
/** Bytes in front of the records: how many were written. */
const PREFIX = 64
/** Bytes of one ring. */
export const FLOW_RING_BYTES: number = PREFIX + RECORDS * RECORD

/** Flows remembered by the writer, by a hash of addresses, protocol and ports. */
const REMEMBERED = 1_024
/** How often a flow is written again, in milliseconds, so that it is not forgotten while it lives. */
const AGAIN = 1_000

/** The writing end. */
export class FlowWriter {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #hashes = new Int32Array(REMEMBERED)
  readonly #times = new Float64Array(REMEMBERED).fill(-Infinity)

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#bytes = new Uint8Array(memory)
  }

  /** Writes a packet (`length` bytes at `from`, lent) that the host sends, unless its flow was written lately. */
  note(packets: Uint8Array, from: number, length: number, now: number): void {
    const hash = hashOf(packets, from, length)
    const place = hash & (REMEMBERED - 1)
    if (this.#hashes[place] === hash && now - (this.#times[place] ?? 0) < AGAIN) return
    this.#hashes[place] = hash
    this.#times[place] = now
    const written = this.#words[0] ?? 0
    const at = PREFIX + (written & (RECORDS - 1)) * RECORD
    const kept = Math.min(length, MAX_BYTES)
    this.#words[at >> 2] = kept
    for (let i = 0; i < kept; i += 1) this.#bytes[at + HEADER + i] = packets[from + i] ?? 0
    if (length > MAX_BYTES) this.#shorten(at + HEADER)
    Atomics.store(this.#words, 0, (written + 1) | 0)
  }

  /** A filter refuses a packet that is longer by its header than it is: what was cut off says so. */
  #shorten(at: number): void {
    const isV4 = (this.#bytes[at] ?? 0) >> 4 === 4
    const place = at + (isV4 ? LENGTH_V4 : LENGTH_V6)
    this.#bytes[place] = 0
    this.#bytes[place + 1] = isV4 ? MAX_BYTES : MAX_BYTES - IPV6_HEADER
  }
}

/** Is shown a flow's packet: `length` bytes at `at`, lent. */
export type FlowListener = (bytes: Uint8Array, at: number, length: number) => void

/** A reading end. */
export class FlowReader {
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  #read: number

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
    this.#bytes = new Uint8Array(memory)
    this.#read = Atomics.load(this.#words, 0)
  }

  /** Hands out what was written since. */
  drain(take: FlowListener): void {
    const written = Atomics.load(this.#words, 0)
    if (written === this.#read) return
    if (((written - this.#read) | 0) > RECORDS / 2) this.#read = (written - RECORDS / 2) | 0
    for (; this.#read !== written; this.#read = (this.#read + 1) | 0) {
      const at = PREFIX + (this.#read & (RECORDS - 1)) * RECORD
      const length = Math.min(Math.max(this.#words[at >> 2] ?? 0, 0), MAX_BYTES)
      take(this.#bytes, at + HEADER, length)
    }
  }
}

/** FNV-1a over addresses, protocol and the first four bytes behind a plain IP header. */
function hashOf(packets: Uint8Array, at: number, length: number): number {
  const first = packets[at] ?? 0
  const isV4 = first >> 4 === 4
  const from = at + (isV4 ? 12 : 8)
  const to = at + Math.min(isV4 ? (first & 15) * 4 + 4 : 44, length)
  let hash = Math.imul(0x811c_9dc5 ^ (packets[at + (isV4 ? 9 : 6)] ?? 0), 0x0100_0193)
  for (let i = from; i < to; i += 1) hash = Math.imul(hash ^ (packets[i] ?? 0), 0x0100_0193)
  return hash
}
