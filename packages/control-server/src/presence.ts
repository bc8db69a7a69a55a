// Who is connected, and what falls due for a node while it stands as it does. A node is online while a server holds its
// map stream, and for a grace after the last one ended, because clients reconnect on every change of network (control
// §3.7). Looking at a node sets every deadline from how it stands, whatever brought it there: a request, a restart,
// another server's word, or a change taken back.

import { MAX_EXPIRY_WAIT } from './coordinator-limits.ts'
import { Deadlines } from './deadlines.ts'
import { EXPIRY_WARNING } from './display-messages.ts'
import { isExpired } from './node-view.ts'
import type { NodeRecord } from './records.ts'

/** How long after its last stream a node still counts as online. */
export const OFFLINE_GRACE = 10_000
/** How long the nodes of a server that went away count as online: as long as clients may wait before they reconnect. */
export const RECONNECT_GRACE = 30_000

/** What a presence goes by. */
export interface PresenceOptions {
  /** The name of this server. */
  readonly server: string
  /** Tells whether a node has a stream here. */
  readonly listens: (node: number) => boolean
  readonly wallClock: () => number
  /** How long an ephemeral node may stay away, milliseconds. */
  readonly ephemeralTimeout: number
}

/** What is due. */
export interface PresenceDue {
  /** Nodes that stayed away for the grace, with how long that was. */
  readonly away: ReadonlyMap<number, number>
  /** Nodes that are connected here though their record says offline. */
  readonly back: readonly number[]
  /** Ephemeral nodes whose time is over. */
  readonly absent: readonly number[]
  /** Nodes whose key may have expired. */
  readonly expiring: readonly number[]
}

/** Watches nodes. */
export class Presence {
  readonly #options: PresenceOptions
  readonly #away = new Deadlines<number>()
  readonly #graces = new Map<number, number>()
  readonly #back = new Deadlines<number>()
  readonly #absent = new Deadlines<number>()
  readonly #expiring = new Deadlines<number>()
  #servers: ReadonlySet<string>

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#servers = new Set([options.server])
  }

  /** Takes which servers are alive. */
  setServers(servers: Iterable<string>): void {
    this.#servers = new Set([...servers, this.#options.server])
  }

  /** Tells whether a node's stream, if any, is another living server's to watch. */
  isElsewhere(node: NodeRecord): boolean {
    const { connectedTo } = node
    return connectedTo !== undefined && connectedTo !== this.#options.server && this.#servers.has(connectedTo)
  }

  /** Tells whether the end of a node's login is so near, or past, that it looks different for that. */
  isAtHand({ expiresAt }: NodeRecord): boolean {
    return expiresAt !== undefined && expiresAt - this.#options.wallClock() <= EXPIRY_WARNING
  }

  /** Sets what is due for a node as it stands now. */
  look(node: NodeRecord, now: number): void {
    this.#lookAtStream(node, now)
    this.#lookAtExpiry(node, now)
    if (!node.ephemeral || node.connectedTo !== undefined) this.#absent.delete(node.id)
    else if (!this.#absent.has(node.id)) this.#absent.set(node.id, now + this.#options.ephemeralTimeout)
  }

  /** Notes that the last stream here of a node ended. */
  left(node: number, now: number): void {
    this.#expect(node, OFFLINE_GRACE, now)
  }

  /** Forgets a node. */
  forget(id: number): void {
    for (const deadlines of [this.#away, this.#back, this.#absent, this.#expiring]) deadlines.delete(id)
    this.#graces.delete(id)
  }

  /** Takes out and returns what is due. */
  due(now: number): PresenceDue {
    const away = new Map(this.#away.due(now).map((id) => [id, this.#graces.get(id) ?? 0]))
    for (const id of away.keys()) this.#graces.delete(id)
    const [back, absent, expiring] = [this.#back.due(now), this.#absent.due(now), this.#expiring.due(now)]
    return { away, back, absent, expiring }
  }

  /** Returns when to call {@link Presence.due}. */
  next(): number {
    return Math.min(this.#away.next(), this.#back.next(), this.#absent.next(), this.#expiring.next())
  }

  #lookAtStream(node: NodeRecord, now: number): void {
    const { id, connectedTo } = node
    if (connectedTo === undefined || this.#options.listens(id) || this.isElsewhere(node)) {
      this.#away.delete(id)
      this.#graces.delete(id)
    } else if (!this.#away.has(id)) this.#expect(id, RECONNECT_GRACE, now)
    if (connectedTo === undefined && this.#options.listens(id)) this.#back.set(id, now)
    else this.#back.delete(id)
  }

  #expect(id: number, grace: number, now: number): void {
    this.#away.set(id, now + grace)
    this.#graces.set(id, grace)
  }

  #lookAtExpiry(node: NodeRecord, now: number): void {
    const wall = this.#options.wallClock()
    if (node.expiresAt === undefined || isExpired(node, wall)) return this.#expiring.delete(node.id)
    // First the moment in which its person is told, then the end itself.
    const left = node.expiresAt - wall
    const wait = left > EXPIRY_WARNING ? left - EXPIRY_WARNING : left
    this.#expiring.set(node.id, now + Math.min(wait, MAX_EXPIRY_WAIT))
  }
}
