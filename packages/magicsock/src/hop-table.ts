// A table from hops to numbers that makes nothing when it is asked: packets come from thousands of sources in turn, and a key
// made for each would be an object for each. Open addressing over one array: a slot is eight words, half a line of the cache.
import type { Hop } from './hop.ts'

/** Words of a slot: the address, what else tells hops apart, and the number plus one; 0 there is an empty slot. */
const ADDRESS = 0
const PORT = 4
const VNI = 5
const DOOR = 6
const VALUE = 7
const SLOT = 8

const FIRST_SLOTS = 64
/** In the word of the port: the hop is no plain IPv4 endpoint, which two words tell from all others. */
const IPV6 = 1 << 16
const BEYOND = 1 << 17
const MORE = IPV6 | BEYOND

/** What {@link HopTable.get} returns for a hop that is not there. */
export const NOTHING = -1

/** The table. Numbers are from 0 to 2^31 - 2. */
export class HopTable {
  #slots = new Int32Array(FIRST_SLOTS * SLOT)
  #mask = FIRST_SLOTS - 1
  #size = 0
  /** The hop asked for, as words. */
  readonly #key = new Int32Array(VALUE)

  /** Returns the number of a hop, or {@link NOTHING}. */
  get(hop: Hop): number {
    this.#setKey(hop)
    return this.#slots[this.#find() + VALUE]! - 1
  }

  /** Gives a hop a number. */
  set(hop: Hop, value: number): void {
    this.#setKey(hop)
    const at = this.#find()
    const isNew = this.#slots[at + VALUE] === 0
    this.#slots.set(this.#key, at)
    this.#slots[at + VALUE] = value + 1
    if (!isNew) return
    this.#size += 1
    if (4 * this.#size > 3 * this.#mask) this.#grow()
  }

  /** Forgets a hop. */
  delete(hop: Hop): void {
    this.#setKey(hop)
    const at = this.#find()
    if (this.#slots[at + VALUE] === 0) return
    this.#size -= 1
    this.#close(at / SLOT)
  }

  #setKey({ address, port, vni, door }: Hop): void {
    const key = this.#key
    key[ADDRESS] = wordAt(address, 0)
    key[PORT] = port
    if (address.length === 4 && vni === undefined && door === undefined) return
    const isV6 = address.length !== 4
    for (let word = 1; word < 4; word += 1) key[ADDRESS + word] = isV6 ? wordAt(address, 4 * word) : 0
    key[PORT] = port | (isV6 ? IPV6 : 0) | (vni === undefined && door === undefined ? 0 : BEYOND)
    key[VNI] = vni === undefined ? 0 : vni + 1
    key[DOOR] = door === undefined ? 0 : door + 1
  }

  /** Returns where the slot of the key begins, or the empty one where it would stand. */
  #find(): number {
    const slots = this.#slots
    const key = this.#key
    for (let slot = hash(key, 0) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * SLOT
      if (slots[at + VALUE] === 0 || isAt(slots, at, key)) return at
    }
  }

  #grow(): void {
    const before = this.#slots
    this.#mask = 2 * this.#mask + 1
    this.#slots = new Int32Array((this.#mask + 1) * SLOT)
    for (let at = 0; at < before.length; at += SLOT) {
      if (before[at + VALUE] === 0) continue
      let slot = hash(before, at) & this.#mask
      while (this.#slots[slot * SLOT + VALUE] !== 0) slot = (slot + 1) & this.#mask
      this.#slots.set(before.subarray(at, at + SLOT), slot * SLOT)
    }
  }

  /** Empties a slot, and moves up what could not be found behind an empty one. */
  #close(slot: number): void {
    const slots = this.#slots
    let hole = slot
    for (let next = (hole + 1) & this.#mask; ; next = (next + 1) & this.#mask) {
      const at = next * SLOT
      if (slots[at + VALUE] === 0) break
      const wanted = hash(slots, at) & this.#mask
      const isBehindHole = ((next - wanted) & this.#mask) < ((next - hole) & this.#mask)
      if (isBehindHole) continue
      slots.copyWithin(hole * SLOT, at, at + SLOT)
      hole = next
    }
    slots[hole * SLOT + VALUE] = 0
  }
}

function wordAt(address: Uint8Array, at: number): number {
  return (address[at]! << 24) | (address[at + 1]! << 16) | (address[at + 2]! << 8) | address[at + 3]!
}

function isAt(slots: Int32Array, at: number, key: Int32Array): boolean {
  if (slots[at + ADDRESS] !== key[ADDRESS] || slots[at + PORT] !== key[PORT]) return false
  if ((key[PORT]! & MORE) === 0) return true
  for (let word = 1; word < VALUE; word += 1) if (slots[at + word] !== key[word]) return false
  return true
}

/** Good enough: only who has authenticated gets in, with a bounded number of hops. */
function hash(words: Int32Array, at: number): number {
  let mixed = mix(mix(0, words[at + ADDRESS]!), words[at + PORT]!)
  if ((words[at + PORT]! & MORE) === 0) return mixed
  for (let word = 1; word < VALUE; word += 1) mixed = mix(mixed, words[at + word]!)
  return mixed
}

function mix(mixed: number, word: number): number {
  const product = Math.imul(mixed ^ word, 0x9e3779b1)
  return product ^ (product >>> 15)
}
