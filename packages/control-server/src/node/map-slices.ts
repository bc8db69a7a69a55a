// Runs of peers as bytes, kept for the next who sees the same ones. Which they are is told by the nodes themselves, equal
// content being the same object; so viewers who see different peers, or some with fewer routes, have slices of their own.
// What nobody asked for in a long while is forgotten.

import type { Node } from '@mesh/wire/control'

/** Slices are forgotten when so many bytes of others were used since. */
const MAX_YOUNG = 32 << 20
/** Of one place in the network, so many are kept apart: beyond that, they are hardly the same for two viewers. */
const MAX_ALIKE = 64

interface Slice {
  readonly nodes: readonly Node[]
  readonly bytes: Uint8Array
}

/** Remembers slices by where they begin. */
export class MapSlices {
  #young = new Map<number, Slice[]>()
  #old: ReadonlyMap<number, readonly Slice[]> = new Map()
  #youngBytes = 0

  /** How many bytes are kept. */
  get size(): number {
    let bytes = 0
    for (const slices of [...this.#young.values(), ...this.#old.values()])
      for (const slice of slices) bytes += slice.bytes.length
    return bytes
  }

  /** Returns the bytes of `peers` from `start` to `end`, if they were kept for this place. */
  find(place: number, peers: readonly Node[], start: number, end: number): Uint8Array | undefined {
    const isIt = ({ nodes }: Slice): boolean => isSame(nodes, peers, start, end)
    const young = this.#young.get(place)?.findLast(isIt)
    if (young) return young.bytes
    const old = this.#old.get(place)?.findLast(isIt)
    if (old) this.#add(place, old)
    return old?.bytes
  }

  /** Keeps the bytes of some peers. */
  keep(place: number, nodes: readonly Node[], bytes: Uint8Array): void {
    this.#add(place, { nodes, bytes })
  }

  #add(place: number, slice: Slice): void {
    if (this.#youngBytes > MAX_YOUNG) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    const slices = this.#young.get(place) ?? []
    this.#young.set(place, slices)
    this.#youngBytes += slice.bytes.length
    if (slices.push(slice) > MAX_ALIKE) this.#youngBytes -= slices.shift()?.bytes.length ?? 0
  }
}

function isSame(known: readonly Node[], peers: readonly Node[], start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i += 1) if (known[i] !== peers[start + i]) return false
  return true
}
