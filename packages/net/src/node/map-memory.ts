// What a node remembers of its map between runs: read once at the start, written now and then as the map changes.
import type { NetworkMap } from '@mesh/netmap'
import { decodeMap, encodeMap, type MapCache, type MapOwner } from '../map-cache.ts'

/** The map is written at most this often, in milliseconds: a busy network changes all the time. */
const WRITE_INTERVAL = 5000

/** Keeps the last map in a cache. */
export class MapMemory {
  readonly #cache: MapCache | undefined
  readonly #onTrouble: (error: unknown) => void
  #isTroubled = false
  #latest: { readonly map: NetworkMap; readonly owner: MapOwner } | undefined
  #timer: NodeJS.Timeout | undefined
  #writtenAt = -Infinity
  #writing: Promise<void> = Promise.resolve()

  /** Without a cache nothing is remembered. */
  constructor(cache: MapCache | undefined, onTrouble: (error: unknown) => void) {
    this.#cache = cache
    this.#onTrouble = onTrouble
  }

  /** Returns the map of the last run, if it was this owner's. */
  recall(owner: MapOwner): NetworkMap | undefined {
    const text = this.#cache?.read()
    return text === undefined ? undefined : decodeMap(text, owner, Date.now())
  }

  /** Takes the map of now: it is written at once, or a few seconds after the last time. */
  remember(map: NetworkMap, owner: MapOwner): void {
    if (!this.#cache) return
    this.#latest = { map, owner }
    if (this.#timer) return
    const wait = Math.max(0, this.#writtenAt + WRITE_INTERVAL - performance.now())
    this.#timer = setTimeout(() => this.#write(), wait).unref()
  }

  /** Removes what is kept. */
  forget(): Promise<void> {
    this.#latest = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#keep(undefined)
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#write()
    await this.#writing
  }

  #write(): void {
    const latest = this.#latest
    this.#latest = this.#timer = undefined
    if (!latest) return
    this.#writtenAt = performance.now()
    void this.#keep(encodeMap(latest.map, latest.owner))
  }

  /** One after the other; what fails is told once until it works again, and holds up nobody. */
  #keep(text: string | undefined): Promise<void> {
    this.#writing = this.#writing
      .then(() => this.#cache?.write(text))
      .then(
        () => void (this.#isTroubled = false),
        (error: unknown) => this.#handleTrouble(error, text === undefined),
      )
    return this.#writing
  }

  /** That something could not be removed is told each time. */
  #handleTrouble(error: unknown, isRemoval: boolean): void {
    if (!this.#isTroubled || isRemoval) this.#onTrouble(error)
    if (!isRemoval) this.#isTroubled = true
  }
}
