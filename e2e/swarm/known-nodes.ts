// Whom one client knows by its map: a bit a node.

import type { Unpacked } from './unpacked.ts'

/** The numbers of the nodes that one client was told of. */
export class KnownNodes {
  #bits = new Uint8Array(0)
  #count = 0

  /** How many there are, the client itself included. */
  get count(): number {
    return this.#count
  }

  /** Applies one frame of a map: the first message is whole, later ones add and remove. */
  apply({ named, removed }: Unpacked): void {
    for (const id of named) this.#set(id, true)
    for (const id of removed) this.#set(id, false)
  }

  #set(id: number, isKnown: boolean): void {
    const byte = id >> 3
    if (byte >= this.#bits.length) {
      const grown = new Uint8Array(2 * byte + 16)
      grown.set(this.#bits)
      this.#bits = grown
    }
    const bit = 1 << (id & 7)
    const was = ((this.#bits[byte] ?? 0) & bit) !== 0
    if (was === isKnown) return
    this.#bits[byte] = (this.#bits[byte] ?? 0) ^ bit
    this.#count += isKnown ? 1 : -1
  }
}
