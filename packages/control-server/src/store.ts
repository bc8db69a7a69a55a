// The seat of whatever remembers the coordinator's records. A network is a set of records and a version that goes up by
// one with every transaction. Whoever writes first hears what others wrote, so every decision is taken on the newest
// state, whichever server takes it: a single-use key is checked and used, an address chosen and given, in one
// transaction (threat 1).

import type { AuditEntry, AuditQuery, AuditWrites } from './audit.ts'
import type { Kind, Records } from './records.ts'

/** The records that changed, by kind and id; `undefined` for one that is gone. */
export type Changes = { readonly [K in Kind]?: ReadonlyMap<number, Records[K] | undefined> }

/** What is counted up and never used twice: the last id of each kind, and the last address given. */
export type Counters = Readonly<Record<Kind | 'address', number>>

/** What one transaction writes. */
export interface Writes {
  /** The records as they are to be. */
  readonly changes: Changes
  /** The counters as they are to be. */
  readonly counters: Counters
  /** What the audit log says of it; nothing when left out. */
  readonly audit?: AuditWrites
}

/** What changed since a version. */
export interface News extends Omit<Writes, 'audit'> {
  /** The version it leads to. */
  readonly version: number
  /** Whether it is everything there is, so that a record which is not in it is gone. */
  readonly whole: boolean
}

/** What a server hears when it says that it is alive. */
export interface Attendance {
  /** The servers that said so lately, the asking one too. */
  readonly servers: readonly string[]
  /** The newest version. */
  readonly version: number
}

/** Hears that there is a version; `undefined` that there may be a new one. */
export type StoreListener = (version: number | undefined) => void

/** Remembers the records of one network, for one server or several at once. */
export interface Store {
  /** Returns what changed after a version; everything for 0 or less, or when the way from there is not known any more. */
  since(version: number): Promise<News>

  /**
   * Runs one transaction, which no other of this network overlaps. `decide` is called once, with what others wrote after
   * version `known`, if anything; what it returns is written as a whole, and is durable when the promise resolves.
   *
   * @param decide - Must not wait for anything. When it returns nothing, nothing is written; when it throws, neither,
   * and the error comes out.
   * @returns The version that `known`, the news and the writes add up to.
   * @throws ControlError `ERR_CONTROL_STORE` when it could not be written; then nothing was, unless the connection was
   * lost in the moment of writing: {@link Store.since} tells. `ERR_CONTROL_CONFLICT` when two records would share what
   * only one may have: a node key, an address, a name.
   */
  transact(known: number, decide: (news: News | undefined) => Writes | undefined): Promise<number>

  /** Returns entries of the audit log. */
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>

  /**
   * Binds the network to the key that its servers prove themselves by, unless it is bound already: clients that know one
   * key would take a server with another for an impostor.
   *
   * @param key - The public key of a server, as `mkey:` text.
   * @param takeOver - Whether to bind it also when it is bound to another key.
   * @returns The key to which it is bound.
   */
  claim(key: string, takeOver: boolean): Promise<string>

  /** Says that a server is alive. Called every few seconds. */
  attend(server: string): Promise<Attendance>
  /** Says that a server ends. */
  leave(server: string): Promise<void>

  /**
   * Calls `listener` soon after somebody wrote, here or elsewhere. It may miss some: {@link Store.attend} tells the version.
   *
   * @param listener - Is given the version that was written; none when some may have been missed.
   * @returns A function that stops it.
   */
  watch(listener: StoreListener): () => void

  /** Lets go of the file or connections behind it. Idempotent. */
  close(): Promise<void>
}
