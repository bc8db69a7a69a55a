// The table of a batch: for every packet where it lies in the arena, how long it is, its counter and its key, and after the
// batch what became of it. It lies in the arena itself, so that a batch is one call, whoever fills the backend's seat.
import {
  ENTRY_COUNTER_HIGH,
  ENTRY_COUNTER_LOW,
  ENTRY_KEY,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_RESULT,
  ENTRY_WORDS,
} from './layout.ts'

/** Result of an entry that no backend would touch: outside the packet area, too long, or without a live key. */
export const REFUSED = -1
/** Result of an entry whose tag is wrong; its bytes are as they came. */
export const FORGED = -2

/** A table of packets in an arena. */
export class PacketTable {
  /** How many entries it has. */
  readonly capacity: number
  /** Where it begins in the arena's memory, for backends. */
  readonly address: number
  readonly #words: Uint32Array
  readonly #results: Int32Array

  /**
   * @param buffer - The arena's memory.
   * @param address - Where the table begins in it: a multiple of 4.
   * @param capacity - Entries.
   */
  constructor(buffer: ArrayBuffer, address: number, capacity: number) {
    this.capacity = capacity
    this.address = address
    this.#words = new Uint32Array(buffer, address, capacity * ENTRY_WORDS)
    this.#results = new Int32Array(buffer, address, capacity * ENTRY_WORDS)
  }

  /**
   * Fills an entry. Nothing is checked here: backends refuse what does not fit.
   *
   * @param index - Which entry, below {@link capacity}.
   * @param offset - Where the packet begins in the arena's memory.
   * @param length - Bytes of the text; when it is to be opened, of the text and its tag. Sealing writes 16 bytes more.
   * @param counterHigh - Upper 32 bits of the counter.
   * @param counterLow - Lower 32 bits of the counter.
   * @param key - A slot of the arena's keys.
   */
  set(
    index: number,
    offset: number,
    length: number,
    counterHigh: number,
    counterLow: number,
    key: number,
  ): void {
    const at = index * ENTRY_WORDS
    const words = this.#words
    words[at + ENTRY_OFFSET] = offset
    words[at + ENTRY_LENGTH] = length
    words[at + ENTRY_COUNTER_LOW] = counterLow
    words[at + ENTRY_COUNTER_HIGH] = counterHigh
    words[at + ENTRY_KEY] = key
  }

  /** Returns where an entry's packet begins. */
  offset(index: number): number {
    return this.#words[index * ENTRY_WORDS + ENTRY_OFFSET] ?? 0
  }

  /** Returns the low half of an entry's counter. */
  counterLow(index: number): number {
    return this.#words[index * ENTRY_WORDS + ENTRY_COUNTER_LOW] ?? 0
  }

  /** Returns the high half of an entry's counter. */
  counterHigh(index: number): number {
    return this.#words[index * ENTRY_WORDS + ENTRY_COUNTER_HIGH] ?? 0
  }

  /** Makes an entry one of which nothing came: {@link REFUSED}. */
  refuse(index: number): void {
    this.#results[index * ENTRY_WORDS + ENTRY_RESULT] = REFUSED
  }

  /** Returns what became of an entry: the length it has now, or {@link REFUSED} or {@link FORGED}. */
  result(index: number): number {
    return this.#results[index * ENTRY_WORDS + ENTRY_RESULT] ?? REFUSED
  }
}
