// The seat of whatever remembers the coordinator's records. Calls are synchronous: a registration is then one
// uninterrupted step, and no two of them can both see a single-use key unused (threat 1).

import type { NodeRecord, PreAuthKeyRecord, UserRecord } from './records.ts'

/**
 * Remembers users, pre-auth keys and nodes. Every write is durable when the call returns, and happens as a whole or not
 * at all. Ids are given by the store, start at 1 and are never given twice, not even after a deletion.
 */
export interface Store {
  /** Runs `work` as one transaction: when it throws, none of its writes happened, and the error comes out. */
  transact<T>(work: () => T): T

  /** Returns all users in the order of their ids. */
  users(): UserRecord[]
  /** Adds a user. Throws {@link ControlError} `ERR_CONTROL_USER_EXISTS` when the name is taken. */
  insertUser(user: Omit<UserRecord, 'id'>): UserRecord
  /** Replaces the user with the record's id. Throws as {@link Store.insertUser}, or when there is none. */
  updateUser(user: UserRecord): void
  /**
   * Removes a user and their pre-auth keys; nodes that came in with such a key forget it. Returns false when there is
   * none. Throws while nodes belong to them.
   */
  deleteUser(id: number): boolean

  /** Returns all pre-auth keys in the order of their ids. */
  preAuthKeys(): PreAuthKeyRecord[]
  /** Returns the pre-auth key with this prefix. */
  preAuthKeyByPrefix(prefix: string): PreAuthKeyRecord | undefined
  /** Adds a pre-auth key. */
  insertPreAuthKey(key: Omit<PreAuthKeyRecord, 'id'>): PreAuthKeyRecord
  /**
   * Marks a key used if it may be used: compare and set in one step. Returns false, and writes nothing, when the key is
   * unknown, or is for a single use and was used.
   */
  consumePreAuthKey(id: number, at: number): boolean
  /** Makes a key expire at the given time. Returns false when it is unknown. */
  expirePreAuthKey(id: number, at: number): boolean

  /** Returns all nodes in the order of their ids. */
  nodes(): NodeRecord[]
  /** Adds a node. Throws when its node key, given name or an address is another node's. */
  insertNode(node: Omit<NodeRecord, 'id'>): NodeRecord
  /** Replaces the node with the record's id. Throws when there is none. */
  updateNode(node: NodeRecord): void
  /** Removes a node. Returns false when there is none. */
  deleteNode(id: number): boolean

  /** Lets go of the file or connection behind it. Idempotent. */
  close(): void
}
