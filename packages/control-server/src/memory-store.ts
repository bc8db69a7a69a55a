// The Store seat filled with maps: the fake for tests, and for coordinators that need not remember. Several of them may
// share one, as servers share a database.

import { MAX_NODE_ENTRIES } from './audit.ts'
import type { AuditEntry, AuditQuery, AuditWrites } from './audit.ts'
import { ControlError } from './errors.ts'
import { KINDS } from './records.ts'
import type { Kind, NodeRecord, Records } from './records.ts'
import { NOTHING } from './state.ts'
import type { Attendance, Counters, News, Store, StoreListener, Writes } from './store.ts'

interface Entry {
  readonly version: number
  readonly record: Records[Kind] | undefined
}

/** What no two records of a network may share: a second look at what the coordinator saw to. */
const UNIQUE = {
  users: ['name'],
  preAuthKeys: ['prefix'],
  nodes: ['stableId', 'nodeKey', 'givenName', 'ipv4', 'ipv6'] satisfies (keyof NodeRecord)[],
  logins: ['key'],
  policies: [],
  apiKeys: ['prefix'],
  reservations: ['ipv4', 'holder'],
  sshChecks: ['key'],
} as const

/** Remembers everything until the process ends. */
export class MemoryStore implements Store {
  readonly #tables = new Map<Kind, Map<number, Entry>>(KINDS.map((kind) => [kind, new Map()]))
  readonly #servers = new Set<string>()
  readonly #listeners = new Set<StoreListener>()
  #audit: readonly AuditEntry[] = []
  #counters: Counters = NOTHING.counters
  #version = 0
  #serverKey: string | undefined

  /** The newest version. */
  get version(): number {
    return this.#version
  }

  /** Returns what changed after a version. */
  since(version: number): Promise<News> {
    return Promise.resolve(this.read(version))
  }

  /** Runs one transaction. */
  async transact(known: number, decide: (news: News | undefined) => Writes | undefined): Promise<number> {
    const writes = decide(known === this.#version ? undefined : this.read(known))
    return writes ? this.write(writes) : this.#version
  }

  /** Returns what changed after a version, at once. */
  read(version: number): News {
    // From a version that is still to come there is no way.
    const known = version > this.#version ? 0 : version
    const changes = Object.fromEntries(
      KINDS.map((kind) => [kind, changedAfter(this.#tables.get(kind) ?? new Map<number, Entry>(), known)]),
    )
    return {
      version: this.#version,
      whole: known <= 0,
      changes,
      counters: this.#counters,
    }
  }

  /** Writes, at once. Returns the new version. */
  write({ changes, counters, audit }: Writes): number {
    for (const kind of KINDS) this.#refuseDouble(kind, changes[kind] ?? new Map())
    const version = this.#version + 1
    for (const kind of KINDS) {
      for (const [id, record] of changes[kind] ?? []) this.#tables.get(kind)?.set(id, { version, record })
    }
    if (audit) this.#addAudit(audit)
    this.#counters = counters
    this.#version = version
    for (const listener of this.#listeners) void Promise.resolve().then(() => listener(version))
    return version
  }

  /** Returns entries of the audit log. */
  audit({ since = 0, limit }: AuditQuery): Promise<readonly AuditEntry[]> {
    return Promise.resolve(this.#audit.filter(({ at }) => at >= since).slice(-limit))
  }

  /** Binds the network to a server's key. */
  claim(key: string, takeOver: boolean): Promise<string> {
    this.#serverKey = takeOver ? key : (this.#serverKey ?? key)
    return Promise.resolve(this.#serverKey)
  }

  /** Says that a server is alive. */
  attend(server: string): Promise<Attendance> {
    this.#servers.add(server)
    return Promise.resolve({ servers: [...this.#servers], version: this.#version })
  }

  /** Says that a server ends. */
  leave(server: string): Promise<void> {
    this.#servers.delete(server)
    return Promise.resolve()
  }

  /** Calls `listener` after every write. */
  watch(listener: StoreListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Does nothing. */
  close(): Promise<void> {
    return Promise.resolve()
  }

  #addAudit({ entries, keepSince }: AuditWrites): void {
    const kept = [...this.#audit, ...entries].filter(({ at }) => at >= keepSince)
    let tooMany = kept.filter(({ actor }) => actor.kind === 'node').length - MAX_NODE_ENTRIES
    this.#audit = kept.filter(({ actor }) => actor.kind !== 'node' || --tooMany < 0)
  }

  #refuseDouble(kind: Kind, changed: ReadonlyMap<number, Records[Kind] | undefined>): void {
    const after = new Map([...(this.#tables.get(kind) ?? [])].map(([id, entry]) => [id, entry.record]))
    for (const [id, record] of changed) after.set(id, record)
    for (const field of UNIQUE[kind]) {
      const seen = new Set<unknown>()
      for (const record of after.values()) {
        const value = record && (record as unknown as Readonly<Record<string, unknown>>)[field]
        if (value !== undefined && seen.has(value))
          throw new ControlError('ERR_CONTROL_CONFLICT', `Two ${kind} would have the same ${field}.`)
        seen.add(value)
      }
    }
  }
}

function changedAfter(table: ReadonlyMap<number, Entry>, version: number): Map<number, unknown> {
  const changed = [...table].filter(([, entry]) => entry.version > version)
  const wanted = version <= 0 ? changed.filter(([, entry]) => entry.record !== undefined) : changed
  return new Map(wanted.map(([id, entry]) => [id, entry.record]))
}
