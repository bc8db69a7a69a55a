// The records in memory, and a journal of what was changed since the last commit: from it come the writes of a
// transaction, and by it everything is taken back when the transaction fails.

import { KINDS } from './records.ts'
import type { Kind, Records } from './records.ts'
import type { Counters, News, Writes } from './store.ts'

/** One record's change. */
export type StateChange = {
  [K in Kind]: {
    readonly kind: K
    readonly before: Records[K] | undefined
    readonly after: Records[K] | undefined
  }
}[Kind]

/** A network without anything in it. */
export const NOTHING: News = {
  version: 0,
  whole: true,
  changes: {},
  counters: { users: 0, preAuthKeys: 0, nodes: 0, logins: 0, policies: 0, apiKeys: 0, address: 0 },
}

type Tables = { readonly [K in Kind]: Map<number, Records[K]> }

interface JournalEntry {
  readonly kind: Kind
  readonly id: number
  readonly before: Records[Kind] | undefined
  readonly counters: Counters
}

/** All records of a network. */
export class State {
  readonly #tables: Tables = {
    users: new Map(),
    preAuthKeys: new Map(),
    nodes: new Map(),
    logins: new Map(),
    policies: new Map(),
    apiKeys: new Map(),
  }
  readonly #journal: JournalEntry[] = []
  readonly #onChange: (change: StateChange) => void
  #counters: Counters = NOTHING.counters
  #version = 0

  /** @param onChange - Is told of every change, of whatever origin. */
  constructor(onChange: (change: StateChange) => void) {
    this.#onChange = onChange
  }

  /** The version that was last read or committed. */
  get version(): number {
    return this.#version
  }

  /** What was counted up so far. */
  get counters(): Counters {
    return this.#counters
  }

  /** Returns the records of a kind by id, in the order in which they came. */
  all<K extends Kind>(kind: K): ReadonlyMap<number, Records[K]> {
    return this.#tables[kind]
  }

  /** Adds a record under the next id. */
  add<K extends Kind>(kind: K, draft: Omit<Records[K], 'id'>, counters: Partial<Counters> = {}): Records[K] {
    const id = this.#counters[kind] + 1
    const record = { ...draft, id } as Records[K]
    this.#write(kind, id, record, { ...this.#counters, ...counters, [kind]: id })
    return record
  }

  /** Replaces a record. */
  put<K extends Kind>(kind: K, record: Records[K]): void {
    this.#write(kind, record.id, record, this.#counters)
  }

  /** Removes a record. Returns what it was. */
  remove<K extends Kind>(kind: K, id: number): Records[K] | undefined {
    const before = this.#tables[kind].get(id)
    if (before) this.#write(kind, id, undefined, this.#counters)
    return before
  }

  /** Sets what is counted up. */
  count(counters: Counters): void {
    const [kind, id] = ['users', 0] as const
    this.#write(kind, id, undefined, counters)
  }

  /** Returns a mark to go back to by {@link State.undo}. */
  mark(): number {
    return this.#journal.length
  }

  /** Takes back what was changed since a mark, or since the last commit. */
  undo(mark = 0): void {
    for (const { kind, id, before, counters } of this.#journal.splice(mark).toReversed()) {
      this.#set(kind, id, before)
      this.#counters = counters
    }
  }

  /** Returns what was changed since the last commit, or `undefined` when nothing was. */
  writes(): Writes | undefined {
    if (this.#journal.length === 0) return undefined
    const changes = Object.fromEntries(KINDS.map((kind) => [kind, new Map<number, unknown>()]))
    for (const { kind, id } of this.#journal) changes[kind]?.set(id, this.#tables[kind].get(id))
    return { changes, counters: this.#counters }
  }

  /** Notes that what was changed is durable. */
  confirm(version: number): void {
    this.#journal.length = 0
    this.#version = version
  }

  /** Doubts everything: the next news will be the whole. */
  distrust(): void {
    this.#version = -1
  }

  /** Takes what others changed. Nothing of one's own may be under way. */
  take(news: News): void {
    for (const kind of KINDS) {
      const changed: ReadonlyMap<number, Records[Kind] | undefined> = news.changes[kind] ?? new Map()
      for (const [id, record] of changed) this.#set(kind, id, record)
      if (!news.whole) continue
      for (const id of this.#tables[kind].keys()) if (!changed.has(id)) this.#set(kind, id, undefined)
    }
    this.#counters = news.counters
    this.#version = news.version
  }

  #write(kind: Kind, id: number, after: Records[Kind] | undefined, counters: Counters): void {
    const before = this.#tables[kind].get(id)
    this.#journal.push({ kind, id, before, counters: this.#counters })
    this.#counters = counters
    this.#set(kind, id, after)
  }

  #set(kind: Kind, id: number, after: Records[Kind] | undefined): void {
    const table = this.#tables[kind] as Map<number, Records[Kind]>
    const before = table.get(id)
    if (before === after) return
    if (after) table.set(id, after)
    else table.delete(id)
    this.#onChange({ kind, before, after } as StateChange)
  }
}
