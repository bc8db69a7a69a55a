// Who is here. A client is a key; it may have several connections, of which the one that spoke last gets the
// packets (data-plane §2.10). Each client also remembers who has heard from it, because those, and only those,
// are told when it leaves (§2.8).
import type { RandomSource } from '@mesh/sansio'
import { KeyMap } from './key-map.ts'

/** One key that is logged in, with its connections of type `C`. */
export interface Client<C> {
  readonly key: Uint8Array
  /** Every open connection of the key; never empty while the client is known. */
  readonly connections: Set<C>
  /** The connection that receives: the last to have spoken or logged in. */
  active: C
  /** The connections to which a packet from this client was written. */
  readonly audience: Set<C>
}

/** The clients of a relay by key. */
export class Clients<C> {
  readonly #byKey: KeyMap<Client<C>>
  #duplicates = 0

  constructor(random: RandomSource) {
    this.#byKey = new KeyMap(random)
  }

  /** How many keys are here. */
  get size(): number {
    return this.#byKey.size
  }

  /** How many keys have more than one connection. */
  get duplicates(): number {
    return this.#duplicates
  }

  /** Returns the client with this key, or `undefined`. */
  get(key: Uint8Array): Client<C> | undefined {
    return this.#byKey.get(key)
  }

  /** Adds a connection of `key` and makes it the active one. `key` is kept, not copied. */
  join(key: Uint8Array, connection: C): Client<C> {
    const known = this.#byKey.get(key)
    if (known === undefined) {
      const client = { key, connections: new Set([connection]), active: connection, audience: new Set<C>() }
      this.#byKey.add(key, client)
      return client
    }
    if (known.connections.size === 1) this.#duplicates += 1
    known.connections.add(connection)
    known.active = connection
    return known
  }

  /** Removes a connection; returns whether it was the client's last one. */
  leave(client: Client<C>, connection: C): boolean {
    client.connections.delete(connection)
    if (client.connections.size === 1) this.#duplicates -= 1
    if (client.connections.size === 0) {
      this.#byKey.delete(client.key)
      return true
    }
    if (client.active === connection) client.active = lastOf(client.connections, connection)
    return false
  }
}

function lastOf<C>(connections: Set<C>, otherwise: C): C {
  let last = otherwise
  for (const connection of connections) last = connection
  return last
}
