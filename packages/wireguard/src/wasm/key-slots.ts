// The keys of an arena. A slot is live from the moment a key is put in until it is wiped; a slot that is not live seals
// and opens nothing, so that a key of zeros can never be used by mistake.
import { SLOT_LIVE, SLOT_STRIDE } from './layout.ts'

const KEY_LENGTH = 32

/** Key slots in an arena, by number. */
export class KeySlots {
  /** How many there are. */
  readonly capacity: number
  /** Where they begin in the arena's memory, for backends. */
  readonly address: number
  readonly #bytes: Uint8Array
  /** Slots that were wiped; from `#begun` on none was ever used. */
  readonly #free: number[] = []
  #begun = 0

  /**
   * @param buffer - The arena's memory.
   * @param address - Where the slots begin in it.
   * @param capacity - Slots.
   */
  constructor(buffer: ArrayBuffer, address: number, capacity: number) {
    this.capacity = capacity
    this.address = address
    this.#bytes = new Uint8Array(buffer, address, capacity * SLOT_STRIDE)
  }

  /** Copies a key of 32 bytes into a free slot and returns its number, or `undefined` when all are taken. */
  put(key: Uint8Array): number | undefined {
    if (key.length !== KEY_LENGTH) throw new RangeError(`key: ${key.length} bytes, must be ${KEY_LENGTH}`)
    const slot = this.#free.pop() ?? this.#begin()
    if (slot === undefined) return undefined
    this.#bytes.set(key, slot * SLOT_STRIDE)
    this.#bytes[slot * SLOT_STRIDE + SLOT_LIVE] = 1
    return slot
  }

  /** Overwrites a key with zeros and frees its slot. Harmless for a slot that is not live. */
  wipe(slot: number): void {
    const at = slot * SLOT_STRIDE
    if (this.#bytes[at + SLOT_LIVE] !== 1) return
    this.#bytes.fill(0, at, at + SLOT_STRIDE)
    this.#free.push(slot)
  }

  /** Wipes all keys. */
  wipeAll(): void {
    for (let slot = 0; slot < this.#begun; slot += 1) this.wipe(slot)
  }

  #begin(): number | undefined {
    if (this.#begun === this.capacity) return undefined
    this.#begun += 1
    return this.#begun - 1
  }
}
