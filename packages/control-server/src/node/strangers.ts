// Connections whose machine has not yet shown that it is in the network: anybody can open them. They are few, and few
// from one place, and the oldest makes room for the newest, so that nobody is locked out (control §9.7.4, threat 26).

/** How many there may be. */
export interface StrangerBounds {
  /** The most from one place; many nodes may share one, and each is done within moments. */
  readonly fromOnePlace: number
  /** The most from everywhere, which is also the bound behind a proxy on this machine. */
  readonly together: number
}

const MACHINES: StrangerBounds = { fromOnePlace: 256, together: 4096 }

/** Something that can be ended. */
interface Connection {
  destroy(): void
}

/** Knows the connections of strangers, oldest first. */
export class Strangers {
  readonly #bounds: StrangerBounds
  readonly #places = new Map<Connection, string | undefined>()
  readonly #byPlace = new Map<string | undefined, Set<Connection>>()

  /** @param bounds - Those of machines that have shaken hands when left out. */
  constructor(bounds = MACHINES) {
    this.#bounds = bounds
  }

  /**
   * Notes a new connection; when there are too many, the oldest one is ended.
   *
   * @param place - Where it is from; `undefined` for where a proxy stands for everybody.
   */
  add(connection: Connection, place: string | undefined): void {
    const neighbours = this.#byPlace.get(place) ?? new Set()
    this.#byPlace.set(place, neighbours.add(connection))
    this.#places.set(connection, place)
    if (neighbours.size > this.#bounds.fromOnePlace && place !== undefined) this.#end(neighbours)
    if (this.#places.size > this.#bounds.together) this.#end(this.#places.keys())
  }

  /** Forgets a connection: it is no stranger's any more, or it is gone. */
  delete(connection: Connection): void {
    const place = this.#places.get(connection)
    if (!this.#places.delete(connection)) return
    const neighbours = this.#byPlace.get(place)
    neighbours?.delete(connection)
    if (neighbours?.size === 0) this.#byPlace.delete(place)
  }

  #end(connections: Iterable<Connection>): void {
    const [oldest] = connections
    if (!oldest) return
    this.delete(oldest)
    oldest.destroy()
  }
}
