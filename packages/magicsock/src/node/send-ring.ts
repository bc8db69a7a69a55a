// Copies of datagrams on their way. The bytes given to `send` are lent, but a socket whose buffer is full keeps
// them until later: so they go through a ring of slots, and a slot comes up again only when nobody reads it.

/** Slots in the ring: also how many datagrams may wait for one socket before more are dropped. */
const SLOTS = 1_024
/** Bytes of a slot; a longer datagram, of which there are few, gets an array of its own. */
const SLOT_LENGTH = 2_048

/** A ring of copies. */
export class SendRing {
  readonly #memory = new Uint8Array(SLOTS * SLOT_LENGTH)
  #next = 0

  /**
   * Returns a copy of `bytes` that stays as it is until `SLOTS` more have been made.
   *
   * @param waiting - How many datagrams still wait in the sockets that read from this ring.
   * @returns `undefined` when so many wait that a slot might still be read.
   */
  copy(bytes: Uint8Array, waiting: number): Uint8Array | undefined {
    if (waiting >= SLOTS) return undefined
    if (bytes.length > SLOT_LENGTH) return bytes.slice()
    const at = this.#next * SLOT_LENGTH
    this.#next = (this.#next + 1) % SLOTS
    const slot = this.#memory.subarray(at, at + bytes.length)
    slot.set(bytes)
    return slot
  }
}
