// Packets of one peer that wait for a session: a ring of copies, the oldest overwritten when it is full (W8).
import { STAGED_PACKETS } from './constants.ts'

/** Keeps the newest packets in order. */
export class StagedPackets {
  #packets: Uint8Array[] = []
  #first = 0

  /** How many wait. */
  get count(): number {
    return this.#packets.length
  }

  /** Copies a packet in. `false` when the oldest had to go for it. */
  push(packet: Uint8Array): boolean {
    const copy = Uint8Array.from(packet)
    if (this.#packets.length < STAGED_PACKETS) {
      this.#packets.push(copy)
      return true
    }
    this.#packets[this.#first] = copy
    this.#first = (this.#first + 1) % STAGED_PACKETS
    return false
  }

  /** Returns all, oldest first, and forgets them. */
  take(): Uint8Array[] {
    const packets = [...this.#packets.slice(this.#first), ...this.#packets.slice(0, this.#first)]
    this.#packets = []
    this.#first = 0
    return packets
  }
}
