// Where clients are that are not here: at other parts of this same relay, on other cores, and at sibling relays of the
// mesh; and what has to be said when they come and go there (data-plane §2.9).
import type { Client, SiblingId } from './clients.ts'
import type { Connection } from './connection.ts'
import type { Switchboard } from './switchboard.ts'
import type { Watchers } from './watchers.ts'

/** What a sibling is. */
export interface SiblingOptions {
  /**
   * It is another part of this same relay, on another core, with the same key: packets from mesh peers may go on to it,
   * mesh peers are told of its clients, and of connections with one key the last to have spoken receives, in whichever
   * part it is.
   */
  readonly part?: boolean
  /**
   * It stands for the siblings of another part of this same relay: packets for their clients go to that part, which sends
   * them on.
   */
  readonly beyond?: boolean
}

/** Says to the other parts of this relay that a client came or went; `beyond`, that it did so at a sibling. */
export type Announce = (nodeKey: Uint8Array, present: boolean, beyond: boolean) => void

/** The siblings of a relay and what they say they have. */
export class Siblings {
  readonly #all = new Set<SiblingId>()
  readonly #switchboard: Switchboard
  readonly #watchers: Watchers
  readonly #announce: Announce
  #lastId = 0

  constructor(switchboard: Switchboard, watchers: Watchers, announce: Announce) {
    this.#switchboard = switchboard
    this.#watchers = watchers
    this.#announce = announce
  }

  up({ part = false, beyond = false }: SiblingOptions): SiblingId {
    this.#lastId += 1
    this.#all.add(this.#lastId)
    if (part) this.#switchboard.parts.add(this.#lastId)
    else if (!beyond) this.#switchboard.direct.add(this.#lastId)
    return this.#lastId
  }

  present(sibling: SiblingId, nodeKey: Uint8Array, now: number): void {
    if (!this.#all.has(sibling)) return
    const { parts, direct, clients } = this.#switchboard
    const isPart = parts.has(sibling)
    const wasHere = this.hasAnywhere(nodeKey)
    const client = clients.link(nodeKey, sibling, isPart)
    if (direct.has(sibling)) this.#announce(client.key, true, true)
    if (!isPart) return
    // It spoke there last.
    client.active = undefined
    if (!wasHere) this.#watchers.cameElsewhere(client.key, now)
  }

  gone(sibling: SiblingId, nodeKey: Uint8Array, now: number): void {
    const client = this.#switchboard.clients.get(nodeKey)
    if (client?.links.includes(sibling)) this.#unlink(client, sibling, now)
  }

  down(sibling: SiblingId, now: number): void {
    if (!this.#all.delete(sibling)) return
    const theirs = [...this.#switchboard.clients.all()].filter(({ links }) => links.includes(sibling))
    for (const client of theirs) this.#unlink(client, sibling, now)
    this.#switchboard.parts.delete(sibling)
    this.#switchboard.direct.delete(sibling)
  }

  /** Whether a key is at this relay, in whichever of its parts. */
  hasAnywhere(nodeKey: Uint8Array): boolean {
    const client = this.#switchboard.clients.get(nodeKey)
    if (client === undefined) return false
    return client.connections.size > 0 || client.links.some((link) => this.#switchboard.parts.has(link))
  }

  /** Returns everybody at this relay, in whichever of its parts. */
  everybody(): Client<Connection>[] {
    return this.#those(({ key }) => this.hasAnywhere(key))
  }

  /** Returns the keys that are connected to this very part. */
  keysHere(): Uint8Array[] {
    return this.#those(({ connections }) => connections.size > 0).map(({ key }) => key)
  }

  /** Returns the keys that siblings linked to this very part have. */
  keysBeyond(): Uint8Array[] {
    return this.#those((client) => this.#isBeyond(client)).map(({ key }) => key)
  }

  #unlink(client: Client<Connection>, sibling: SiblingId, now: number): void {
    const wasHere = this.hasAnywhere(client.key)
    const wasBeyond = this.#isBeyond(client)
    this.#switchboard.unlink(client, sibling, now)
    if (wasBeyond && !this.#isBeyond(client)) this.#announce(client.key, false, true)
    if (wasHere && !this.hasAnywhere(client.key)) this.#watchers.went(client.key, now)
  }

  #isBeyond({ links }: Client<Connection>): boolean {
    return links.some((link) => this.#switchboard.direct.has(link))
  }

  #those(wanted: (client: Client<Connection>) => boolean): Client<Connection>[] {
    return [...this.#switchboard.clients.all()].filter(wanted)
  }
}
