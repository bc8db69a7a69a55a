// Mesh peers that want to know who is here: all keys at once, then every arrival and departure, so that they can send
// on what is meant for those keys (data-plane §2.9). What a slow one has not taken waits, up to a bound.
import { type IpAddress, parseAddress } from '@mesh/wire/ip'
import { encodePeerGone, encodePeerPresent, PEER_GONE_DISCONNECTED } from '@mesh/wire/derp'
import type { Client } from './clients.ts'
import type { Connection } from './connection.ts'
import { MAX_NEWS } from './constants.ts'
import type { ClientInfo } from '@mesh/wire/derp'

/** What a PeerPresent says of a client's kind (data-plane §2.9). */
export const PRESENT_REGULAR = 1
export const PRESENT_MESH = 2
export const PRESENT_PROBER = 4
export const PRESENT_NOT_IDEAL = 8

/** Returns the flags by which mesh peers are told of a client. */
export function presentFlags(info: ClientInfo, mesh: boolean, notIdeal: boolean): number {
  const flags =
    (mesh ? PRESENT_MESH : 0) | (info.isProber ? PRESENT_PROBER : 0) | (notIdeal ? PRESENT_NOT_IDEAL : 0)
  return flags === 0 ? PRESENT_REGULAR : flags
}

/** Sends frames to the connections that watch. */
export class Watchers {
  readonly #watching = new Set<Connection>()
  readonly #write: (connection: Connection, bytes: Uint8Array, now: number) => void
  readonly #giveUp: (connection: Connection, now: number) => void

  /** `giveUp` closes a watcher that is too slow. */
  constructor(
    write: (connection: Connection, bytes: Uint8Array, now: number) => void,
    giveUp: (connection: Connection, now: number) => void,
  ) {
    this.#write = write
    this.#giveUp = giveUp
  }

  /** Tells a connection of everybody here, and of every change from now on. */
  watch(connection: Connection, clients: Iterable<Client<Connection>>, now: number): void {
    if (connection.watching) return
    connection.watching = true
    this.#watching.add(connection)
    for (const client of clients) {
      const [first] = client.connections
      const frame = first === undefined ? elsewhereFrame(client.key) : presentFrame(first)
      this.#tell(connection, frame, now, Infinity)
    }
  }

  /** Tells everybody that a connection came, also when its key was here already. */
  came(connection: Connection, now: number): void {
    if (this.#watching.size > 0) this.#tellAll(presentFrame(connection), now)
  }

  /** Tells everybody that a key came to another part of this relay. */
  cameElsewhere(key: Uint8Array, now: number): void {
    if (this.#watching.size > 0) this.#tellAll(elsewhereFrame(key), now)
  }

  /** Tells everybody that a key has no connection here any more. */
  went(key: Uint8Array, now: number): void {
    if (this.#watching.size > 0)
      this.#tellAll(encodePeerGone({ peer: key, reason: PEER_GONE_DISCONNECTED }), now)
  }

  /** Forgets a connection. */
  leave(connection: Connection): void {
    this.#watching.delete(connection)
    connection.news = []
  }

  /** Sends what waited and fits into the window. */
  flush(connection: Connection, now: number): void {
    let sent = 0
    while (sent < connection.news.length && !connection.outbox.overfull) {
      this.#write(connection, connection.news[sent]!, now)
      sent += 1
    }
    if (sent > 0) connection.news = connection.news.slice(sent)
  }

  #tellAll(frame: Uint8Array, now: number): void {
    for (const watcher of [...this.#watching]) this.#tell(watcher, frame, now)
  }

  #tell(watcher: Connection, frame: Uint8Array, now: number, bound = MAX_NEWS): void {
    if (watcher.news.length === 0 && !watcher.outbox.overfull) return this.#write(watcher, frame, now)
    if (watcher.news.length < bound) watcher.news.push(frame)
    else this.#giveUp(watcher, now)
  }
}

function elsewhereFrame(peer: Uint8Array): Uint8Array {
  return encodePeerPresent({
    peer,
    endpoint: { address: new Uint8Array(16), port: 0 },
    flags: PRESENT_REGULAR,
  })
}

function presentFrame({ client, origin, flags }: Connection): Uint8Array {
  const address: IpAddress = parseAddress(origin.source.replace(/%.*/, '')) ?? new Uint8Array(16)
  return encodePeerPresent({
    peer: client?.key ?? new Uint8Array(32),
    endpoint: { address, port: origin.port ?? 0 },
    flags,
  })
}
