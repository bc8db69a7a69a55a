// The map a node goes by. It outlives the stream it came from: when control is away the node keeps what it knows,
// and when control is back only what is different is news. Keys that end by the clock end in here.
import { applyMapResponse, expireNodes, type MapUpdate, type NetworkMap, nextExpiry } from '@mesh/netmap'
import type { MapResponse } from '@mesh/wire/control'

/** Keeps the last map, and applies to it what a stream brings. */
export class MapKeeper {
  readonly #wallNow: () => number
  /** The last map known, of whatever stream. */
  #map: NetworkMap | undefined
  /** The map of the stream now running; `undefined` until its snapshot. */
  #sessionMap: NetworkMap | undefined

  /** @param wallNow - Tells the wall time, milliseconds since 1970. */
  constructor(wallNow: () => number) {
    this.#wallNow = wallNow
  }

  /** The last map, if there was any. */
  get map(): NetworkMap | undefined {
    return this.#map
  }

  /** Begins a stream: its first message must be a snapshot. */
  beginSession(): void {
    this.#sessionMap = undefined
  }

  /** Returns the map after a message and what changed; `undefined` when there is no map yet. */
  apply(response: MapResponse): MapUpdate | undefined {
    const options = { wallNow: this.#wallNow(), previous: this.#map }
    const update = applyMapResponse(this.#sessionMap, response, options)
    if (update !== undefined) this.#map = this.#sessionMap = update.map
    return update
  }

  /** Returns the map with ended keys marked, when any ended since. */
  expire(): MapUpdate | undefined {
    if (this.#map === undefined) return undefined
    const update = expireNodes(this.#map, this.#wallNow())
    if (update.map === this.#map) return undefined
    if (this.#sessionMap !== undefined) this.#sessionMap = update.map
    this.#map = update.map
    return update
  }

  /** Returns in how many milliseconds to call {@link expire}; `Infinity` for never. */
  nextExpiryIn(): number {
    return this.#map === undefined ? Infinity : Math.max(0, nextExpiry(this.#map) - this.#wallNow())
  }
}
