// All open map streams. Changes are gathered for a moment, then everybody is told at once, each what they may see. A
// stream begins with a snapshot of the world as the others were told it, so that the next change is the same for all;
// the shell asks for the snapshot when it has room for it. This machine writes nothing and reads only what is committed:
// its owner does not wake it in the middle of a transaction.

import type { Machine, RandomSource } from '@mesh/sansio'
import { KEEP_ALIVE_RESPONSE } from '@mesh/wire/control'
import type { MapResponse } from '@mesh/wire/control'
import {
  BATCH_INTERVAL,
  FLUSH_SPACING,
  KEEP_ALIVE_INTERVAL,
  KEEP_ALIVE_JITTER,
  MAX_FLUSH_SPACING,
  MAX_SESSIONS_PER_NODE,
} from './coordinator-limits.ts'
import type { StreamOutput } from './coordinator-output.ts'
import { Deadlines } from './deadlines.ts'
import { MapSession } from './map-session.ts'
import type { MapViews } from './map-views.ts'
import type { Network } from './network.ts'

/** Keep-alives fall due on whole seconds, so that looking for them is rare. */
const KEEP_ALIVE_GRAIN = 1000

/** What streams are made from. */
export interface MapStreamsOptions {
  readonly network: Network
  readonly views: MapViews
  readonly random: RandomSource
  /** Hears that the last stream of a node ended. */
  readonly onSilent: (node: number, now: number) => void
}

/** Tells every node what it needs to know of the others. */
export class MapStreams implements Machine<StreamOutput> {
  readonly #options: MapStreamsOptions
  readonly #sessions = new Map<number, MapSession>()
  readonly #byNode = new Map<number, Set<number>>()
  readonly #keepAlives = new Deadlines<number>()
  readonly #out: StreamOutput[] = []
  /** Streams of nodes that the others were not told of yet: they begin when that is done. */
  readonly #early = new Set<number>()
  /** Exchanges that want a snapshot and nothing after it. */
  readonly #once = new Map<number, MapSession>()
  #open = 0
  #flushAt = Infinity
  #notBefore = -Infinity

  constructor(options: MapStreamsOptions) {
    this.#options = options
  }

  /** Tells whether a node has a stream. */
  listens(node: number): boolean {
    return this.#byNode.has(node)
  }

  /** Begins a stream: its shell is asked to come for the snapshot. */
  begin(exchange: number, nodeId: number, nodeKey: string, now: number): void {
    const streams = this.#byNode.get(nodeId) ?? new Set()
    const [oldest] = streams
    if (oldest !== undefined && streams.size >= MAX_SESSIONS_PER_NODE) this.#end(oldest, now)
    this.#byNode.set(nodeId, streams.add(exchange))
    const session = new MapSession(nodeId, nodeKey, this.#patience())
    session.toldAt = now
    this.#sessions.set(exchange, session)
    this.#keepAlive(exchange, session, now)
    this.#askFor(exchange, nodeId)
  }

  /** Begins what ends with its snapshot. */
  beginOnce(exchange: number, nodeId: number, nodeKey: string): void {
    this.#once.set(exchange, new MapSession(nodeId, nodeKey, Infinity))
    this.#askFor(exchange, nodeId)
  }

  /** Returns the snapshot that opens a stream, or `undefined` when it is gone. Call it once for each `open`. */
  snapshot(exchange: number, now: number): MapResponse | undefined {
    const { network, views } = this.#options
    const session = this.#sessions.get(exchange) ?? this.#once.get(exchange)
    if (!session || session.isOpen || !network.node(session.nodeId)) return undefined
    if (this.#open === 0) this.#catchUp()
    if (this.#once.delete(exchange)) this.#out.push({ kind: 'end', exchange })
    else {
      this.#open += 1
      session.toldAt = now
    }
    return session.first(views.viewFor(session.nodeId), views.seenBy(session.nodeId))
  }

  /** Forgets a stream whose client is gone. */
  close(exchange: number, now: number): void {
    this.#early.delete(exchange)
    this.#once.delete(exchange)
    const session = this.#sessions.get(exchange)
    if (!session) return
    this.#sessions.delete(exchange)
    this.#keepAlives.delete(exchange)
    if (session.isOpen) this.#open -= 1
    const streams = this.#byNode.get(session.nodeId)
    streams?.delete(exchange)
    if (streams?.size !== 0) return
    this.#byNode.delete(session.nodeId)
    this.#options.onSilent(session.nodeId, now)
  }

  /** Ends all streams of a node. */
  endNode(node: number, now: number): void {
    for (const exchange of this.#byNode.get(node) ?? []) this.#end(exchange, now)
  }

  /** Says something to a node beside its map, on its newest stream. Returns false when it has none. */
  say(node: number, response: MapResponse, now: number): boolean {
    const newest = [...(this.#byNode.get(node) ?? [])].at(-1)
    if (newest === undefined) return false
    this.#send(newest, response, now)
    return true
  }

  /** Tells a node that is about to be deleted that its key has expired: its client would ask for its map for ever. */
  farewell(node: number, now: number): void {
    if (!this.listens(node)) return
    const { self, controlTime } = this.#options.views.viewFor(node)
    const KeyExpiry = new Date(Date.parse(controlTime) - 1000).toISOString()
    const response = { Node: { ...self, KeyExpiry, Expired: true }, ControlTime: controlTime }
    for (const exchange of this.#byNode.get(node) ?? []) this.#send(exchange, response, now)
  }

  /** Notes nodes that look different now, are new, or are gone; the streams of those with another key end. */
  noteChanged(changed: ReadonlySet<number>, now: number): void {
    this.#options.views.noteChanged(changed)
    for (const id of changed) {
      const nodeKey = this.#options.network.node(id)?.nodeKey
      for (const exchange of this.#byNode.get(id) ?? [])
        if (this.#sessions.get(exchange)?.nodeKey !== nodeKey) this.#end(exchange, now)
    }
    if (this.#sessions.size === 0 || this.#flushAt !== Infinity) return
    this.#flushAt = Math.max(now + BATCH_INTERVAL, this.#notBefore)
  }

  /** Does what is due at `now`. */
  handleTimeout(now: number): void {
    if (now >= this.#flushAt) this.#flush(now)
    for (const exchange of this.#keepAlives.due(now)) this.#keepAliveIfQuiet(exchange, now)
  }

  /** Returns the next thing to do, or `undefined` when there is nothing left. */
  poll(): StreamOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link MapStreams.handleTimeout}; it may be early. */
  pollTimeout(): number {
    return Math.min(this.#flushAt, this.#keepAlives.next())
  }

  #flush(now: number): void {
    const { views } = this.#options
    this.#flushAt = Infinity
    this.#notBefore = now + Math.min(this.#open * FLUSH_SPACING, MAX_FLUSH_SPACING)
    const batch = views.advance()
    for (const [exchange, session] of this.#sessions) {
      if (!session.isOpen) continue
      const response = session.next(views, batch)
      if (response) this.#send(exchange, response, now)
    }
    views.settle()
    for (const exchange of this.#early) this.#out.push({ kind: 'open', exchange })
    this.#early.clear()
  }

  #askFor(exchange: number, nodeId: number): void {
    if (this.#open === 0) this.#catchUp()
    if (this.#options.views.knows(nodeId)) this.#out.push({ kind: 'open', exchange })
    else this.#early.add(exchange)
  }

  /** Nobody has to be told: the world as it was told becomes the world as it is. */
  #catchUp(): void {
    this.#options.views.advance()
    this.#options.views.settle()
  }

  #end(exchange: number, now: number): void {
    this.#out.push({ kind: 'end', exchange })
    this.close(exchange, now)
  }

  #send(exchange: number, response: MapResponse, now: number): void {
    this.#out.push({ kind: 'map-response', exchange, response })
    const session = this.#sessions.get(exchange)
    if (session) session.toldAt = now
  }

  /** Looks when the time comes, not with every response, of which there may be many thousands a second. */
  #keepAliveIfQuiet(exchange: number, now: number): void {
    const session = this.#sessions.get(exchange)
    if (!session) return
    if (session.toldAt + session.patience <= now) this.#send(exchange, KEEP_ALIVE_RESPONSE, now)
    this.#keepAlive(exchange, session, session.toldAt)
  }

  #keepAlive(exchange: number, { patience }: MapSession, from: number): void {
    const at = Math.ceil((from + patience) / KEEP_ALIVE_GRAIN) * KEEP_ALIVE_GRAIN
    this.#keepAlives.set(exchange, at)
  }

  #patience(): number {
    const [jitter = 0] = this.#options.random(1)
    return KEEP_ALIVE_INTERVAL + (jitter / 255) * KEEP_ALIVE_JITTER
  }
}
