// The records in memory, and a journal of what was changed since the last commit: from it come the writes of a
// transaction and what its audit says of them, and by it everything is taken back when the transaction fails.

import { auditEntry } from './audit.ts'
import type { Actor, AuditedChange, AuditEntry, AuditNote } from './audit.ts'
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
  counters: {
    users: 0,
    preAuthKeys: 0,
    nodes: 0,
    logins: 0,
    policies: 0,
    apiKeys: 0,
    reservations: 0,
    sshChecks: 0,
    address: 0,
  },
}

type Tables = { readonly [K in Kind]: Map<number, Records[K]> }

interface JournalEntry {
  /** The record that changed, `undefined` for what changed none. */
  readonly change: Omit<AuditedChange, 'actor'> | undefined
  readonly note: AuditNote | undefined
  /** Who is to be named for it, an object of each turn's own; nobody when a note speaks for it. */
  readonly actor: Actor | undefined
  readonly counters: Counters
}

/** Whoever acts when nobody else does. */
const SERVER: Actor = { kind: 'server', name: '' }

/** All records of a network. */
export class State {
  readonly #tables: Tables = {
    users: new Map(),
    preAuthKeys: new Map(),
    nodes: new Map(),
    logins: new Map(),
    policies: new Map(),
    apiKeys: new Map(),
    reservations: new Map(),
    sshChecks: new Map(),
  }
  readonly #journal: JournalEntry[] = []
  readonly #onChange: (change: StateChange) => void
  #counters: Counters = NOTHING.counters
  #version = 0
  #actor: Actor | undefined = SERVER

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
    this.#journal.push({ change: undefined, note: undefined, actor: undefined, counters: this.#counters })
    this.#counters = counters
  }

  /** Begins a turn: names who makes the changes from here on, the server itself when left out. */
  actAs(actor: Actor = SERVER): void {
    this.#actor = { ...actor }
  }

  /** Adds to the audit log what is not a change of a record. */
  note(note: AuditNote): void {
    const counters = this.#counters
    this.#journal.push({ change: undefined, note, actor: this.#actor, counters })
  }

  /** Makes changes of which a note says all there is to say. */
  summed(note: AuditNote, work: () => void): void {
    const actor = this.#actor
    this.#actor = undefined
    try {
      work()
    } finally {
      this.#actor = actor
    }
    this.note(note)
  }

  /** Returns a mark to go back to by {@link State.undo}. */
  mark(): number {
    return this.#journal.length
  }

  /** Takes back what was changed since a mark, or since the last commit. */
  undo(mark = 0): void {
    for (const { change, counters } of this.#journal.splice(mark).toReversed()) {
      if (change) this.#set(change.kind, change.id, change.before)
      this.#counters = counters
    }
  }

  /** Returns what was changed since the last commit, or `undefined` when nothing was. */
  writes(): Writes | undefined {
    if (this.#journal.length === 0) return undefined
    const changes = Object.fromEntries(KINDS.map((kind) => [kind, new Map<number, unknown>()]))
    for (const { change } of this.#journal)
      if (change) changes[change.kind]?.set(change.id, this.#tables[change.kind].get(change.id))
    return { changes, counters: this.#counters }
  }

  /** Returns what the audit log says of what was changed since the last commit, at this Unix time. */
  audit(at: number): readonly AuditEntry[] {
    const entries: AuditEntry[] = []
    const nameOf = (user: number | undefined): string | undefined => this.#tables.users.get(user ?? 0)?.name
    for (const change of this.#auditedChanges()) {
      const entry = auditEntry(change, at, nameOf)
      if (entry) entries.push(entry)
    }
    for (const { note, actor } of this.#journal) if (note && actor) entries.push({ at, actor, ...note })
    return entries
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
    const change = { kind, id, before, after }
    this.#journal.push({ change, note: undefined, actor: this.#actor, counters: this.#counters })
    this.#counters = counters
    this.#set(kind, id, after)
  }

  /** What was done to one record in one turn is one change, however many steps it took. */
  *#auditedChanges(): Iterable<AuditedChange> {
    const turns = new Map<Actor, Map<string, AuditedChange>>()
    for (const { change, actor } of this.#journal) {
      if (!change || !actor) continue
      const turn = turns.get(actor) ?? new Map<string, AuditedChange>()
      const key = `${change.kind} ${change.id}`
      turns.set(actor, turn.set(key, { ...change, before: (turn.get(key) ?? change).before, actor }))
    }
    for (const turn of turns.values()) yield* turn.values()
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
