// The memory that the reading thread and the main thread share: a few slots, each one batch of packets. The reader
// fills a free slot and says so; the main thread uses it and frees it. When all are taken the reader sleeps, and
// the kernel's own queue holds what comes, and drops what is too much.
import { Arena } from '@mesh/linux/node'
import { MAX_PACKET } from '../tun-pair.ts'
import type { PacketBatch } from '../packet-batch.ts'

/** How many batches may be under way at once. */
export const SLOTS = 4
/** The most packets in one batch. */
export const BATCH_PACKETS = 64
/** Room for a batch. A read is tried while a packet of any size would still fit, so half of it is in use. */
export const SLOT_BYTES = 2 * 65_536

const FREE = 0
const TAKEN = 1

/** Places in the shared words: one state for each slot, then whether the device is closing, then the pollfds. */
const STATE = 0
const CLOSING = SLOTS
const POLL_FDS = (SLOTS + 2) * 4
const POLL_FD_BYTES = 8
const TABLES = 64
const TABLE_BYTES = BATCH_PACKETS * 4
const DATA = TABLES + SLOTS * 2 * TABLE_BYTES

/** One view of the shared memory; each thread makes its own of the same buffer. */
export class PacketRing {
  /** The memory itself, for the other thread's view of it. */
  readonly buffer: SharedArrayBuffer
  /** Where libc may write. */
  readonly arena: Arena
  readonly #words: Int32Array<SharedArrayBuffer>
  readonly #offsets: Int32Array[] = []
  readonly #lengths: Int32Array[] = []

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(DATA + SLOTS * SLOT_BYTES)) {
    this.buffer = buffer
    this.arena = new Arena(buffer)
    this.#words = new Int32Array(buffer, 0, SLOTS + 1)
    for (let slot = 0; slot < SLOTS; slot++) {
      const table = TABLES + slot * 2 * TABLE_BYTES
      this.#offsets.push(new Int32Array(buffer, table, BATCH_PACKETS))
      this.#lengths.push(new Int32Array(buffer, table + TABLE_BYTES, BATCH_PACKETS))
    }
  }

  /** Returns the offset of the two pollfds, after writing them: the device's first, then the wake-up's. */
  setPollFds(fds: readonly [number, number], events: number): number {
    const view = new DataView(this.buffer)
    for (const [index, fd] of fds.entries()) {
      view.setInt32(POLL_FDS + index * POLL_FD_BYTES, fd, true)
      view.setInt16(POLL_FDS + index * POLL_FD_BYTES + 4, events, true)
    }
    return POLL_FDS
  }

  /** Returns what poll(2) saw on the device. */
  polledEvents(): number {
    return new DataView(this.buffer).getInt16(POLL_FDS + 6, true)
  }

  /** Waits on the reader's thread until a slot is free; false when the device closes instead. */
  waitFree(slot: number): boolean {
    while (!this.closing && Atomics.load(this.#words, STATE + slot) === TAKEN) {
      Atomics.wait(this.#words, STATE + slot, TAKEN)
    }
    return !this.closing
  }

  /**
   * Fills a slot by calling `read(offset, length)` until it returns 0 or less or the slot is full, and returns how
   * many packets there are now. `read` puts at most `length` bytes at `offset` of the arena.
   */
  fill(slot: number, read: (offset: number, length: number) => number): number {
    const offsets = this.#offsets[slot] as Int32Array
    const lengths = this.#lengths[slot] as Int32Array
    const start = DATA + slot * SLOT_BYTES
    let used = 0
    let count = 0
    while (count < BATCH_PACKETS && used + MAX_PACKET <= SLOT_BYTES) {
      const length = read(start + used, MAX_PACKET)
      if (length <= 0) break
      offsets[count] = start + used
      lengths[count] = length
      used += length
      count += 1
    }
    if (count > 0) Atomics.store(this.#words, STATE + slot, TAKEN)
    return count
  }

  /** Returns a filled slot as a batch over the shared memory, good until {@link release}. */
  batch(slot: number, count: number): PacketBatch {
    return {
      bytes: this.arena.bytes,
      offsets: this.#offsets[slot] as Int32Array,
      lengths: this.#lengths[slot] as Int32Array,
      count,
    }
  }

  /** Gives a slot back to the reader. */
  release(slot: number): void {
    Atomics.store(this.#words, STATE + slot, FREE)
    Atomics.notify(this.#words, STATE + slot)
  }

  /** Whether the device is closing. */
  get closing(): boolean {
    return Atomics.load(this.#words, CLOSING) !== 0
  }

  /** Tells the reader to end, wherever it waits for a slot; the eventfd wakes it from poll(2). */
  startClosing(): void {
    Atomics.store(this.#words, CLOSING, 1)
    for (let slot = 0; slot < SLOTS; slot++) Atomics.notify(this.#words, STATE + slot)
  }
}
