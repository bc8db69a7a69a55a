// Who is in the region. A client is a key; it may have several connections here, of which the one that spoke last gets
// the packets (data-plane §2.10), and it may be at sibling relays of the same mesh (§2.9). Each client also remembers
// who has heard from it, because those, and only those, are told when it leaves (§2.8).
import type { RandomSource } from '@mesh/sansio'
import { KeyMap } from './key-map.ts'

/** A number that names the link to one sibling relay; never used twice by one relay. */
export type SiblingId = number

/** One key of the region, with its connections of type `C`. */
export interface Client<C> {
  readonly key: Uint8Array
  /** Every open connection of the key to this relay. */
  readonly connections: Set<C>
  /**
   * The connection that receives: the last to have spoken or logged in; `undefined` when there is none here, or when one
   * at another part of the same relay has spoken since.
   */
  active: C | undefined
  /** The links to siblings that say the key is there, the first one first. */
  readonly links: SiblingId[]
  /** The connections to which a packet from this client was written. */
  readonly audience: Set<C>
}

/** Tells whether a key is anywhere in the region. */
export function isPresent(client: Client<unknown>): boolean {
  return client.connections.size > 0 || client.links.length > 0
}

/** The clients of a relay and of its siblings by key. */
export class Clients<C> {
  readonly #byKey: KeyMap<Client<C>>
  #here = 0
  #duplicates = 0

  constructor(random: RandomSource) {
    this.#byKey = new KeyMap(random)
  }

  /** How many keys are connected to this relay. */
  get size(): number {
    return this.#here
  }

  /** How many keys are at siblings only. */
  get elsewhere(): number {
    return this.#byKey.size - this.#here
  }

  /** How many keys have more than one connection. */
  get duplicates(): number {
    return this.#duplicates
  }

  /** Returns the client with this key, here or elsewhere, or `undefined`. */
  get(key: Uint8Array): Client<C> | undefined {
    return this.#byKey.get(key)
  }

  /** Returns every client of the region. */
  all(): IterableIterator<Client<C>> {
    return this.#byKey.values()
  }

  /** Adds a connection of `key` and makes it the active one. `key` is kept, not copied. */
  join(key: Uint8Array, connection: C): Client<C> {
    const client = this.#byKey.get(key) ?? this.#add(key)
    if (client.connections.size === 0) this.#here += 1
    if (client.connections.size === 1) this.#duplicates += 1
    client.connections.add(connection)
    client.active = connection
    return client
  }

  /** Removes a connection; returns whether it was the client's last one here. */
  leave(client: Client<C>, connection: C): boolean {
    client.connections.delete(connection)
    if (client.connections.size === 1) this.#duplicates -= 1
    if (client.active === connection) client.active = lastOf(client.connections)
    if (client.connections.size > 0) return false
    this.#here -= 1
    this.#forgetAbsent(client)
    return true
  }

  /**
   * Notes that a sibling has this key; `preferred` puts its link before the others. `key` is copied when it has to be
   * kept.
   */
  link(key: Uint8Array, sibling: SiblingId, preferred = false): Client<C> {
    // Not slice(): of a Buffer that would be a view.
    const client = this.#byKey.get(key) ?? this.#add(new Uint8Array(key))
    if (client.links.includes(sibling)) return client
    if (preferred) client.links.unshift(sibling)
    else client.links.push(sibling)
    return client
  }

  /** Notes that a sibling no longer has a client. */
  unlink(client: Client<C>, sibling: SiblingId): void {
    const at = client.links.indexOf(sibling)
    if (at !== -1) client.links.splice(at, 1)
    if (client.links.length === 0) client.active ??= lastOf(client.connections)
    this.#forgetAbsent(client)
  }

  #add(key: Uint8Array): Client<C> {
    const client = { key, connections: new Set<C>(), active: undefined, links: [], audience: new Set<C>() }
    this.#byKey.add(key, client)
    return client
  }

  #forgetAbsent(client: Client<C>): void {
    if (!isPresent(client)) this.#byKey.delete(client.key)
  }
}

function lastOf<C>(connections: Set<C>): C | undefined {
  let last: C | undefined
  for (const connection of connections) last = connection
  return last
}
