// The Store seat filled with maps: the fake for tests, and for a coordinator that need not remember.

import { ControlError } from './errors.ts'
import type { NodeRecord, PreAuthKeyRecord, UserRecord } from './records.ts'
import type { Store } from './store.ts'

interface Tables {
  readonly users: Map<number, UserRecord>
  readonly keys: Map<number, PreAuthKeyRecord>
  readonly nodes: Map<number, NodeRecord>
}

/** Remembers everything until the process ends. */
export class MemoryStore implements Store {
  #tables: Tables = { users: new Map(), keys: new Map(), nodes: new Map() }
  #lastIds = { users: 0, keys: 0, nodes: 0 }

  /** Runs `work` as one transaction. */
  transact<T>(work: () => T): T {
    const { users, keys, nodes } = this.#tables
    const before = { users: new Map(users), keys: new Map(keys), nodes: new Map(nodes) }
    try {
      return work()
    } catch (error) {
      this.#tables = before
      throw error
    }
  }

  /** Returns all users. */
  users(): UserRecord[] {
    return [...this.#tables.users.values()]
  }

  /** Adds a user. */
  insertUser(user: Omit<UserRecord, 'id'>): UserRecord {
    if (this.users().some((each) => each.name === user.name)) {
      throw new ControlError('ERR_CONTROL_USER_EXISTS', `There is a user named ${user.name} already.`)
    }
    const added = { ...user, id: (this.#lastIds.users += 1) }
    this.#tables.users.set(added.id, added)
    return added
  }

  /** Replaces a user. */
  updateUser(user: UserRecord): void {
    if (!this.#tables.users.has(user.id))
      throw new ControlError('ERR_CONTROL_STORE', `There is no user ${user.id}.`)
    if (this.users().some((each) => each.name === user.name && each.id !== user.id)) {
      throw new ControlError('ERR_CONTROL_USER_EXISTS', `There is a user named ${user.name} already.`)
    }
    this.#tables.users.set(user.id, user)
  }

  /** Removes a user. */
  deleteUser(id: number): boolean {
    const { users, keys, nodes } = this.#tables
    if (this.nodes().some((node) => node.user === id))
      throw new ControlError('ERR_CONTROL_STORE', `User ${id} has nodes.`)
    for (const node of this.nodes()) {
      if (node.preAuthKey !== undefined && keys.get(node.preAuthKey)?.user === id)
        nodes.set(node.id, { ...node, preAuthKey: undefined })
    }
    for (const key of this.preAuthKeys()) if (key.user === id) keys.delete(key.id)
    return users.delete(id)
  }

  /** Returns all pre-auth keys. */
  preAuthKeys(): PreAuthKeyRecord[] {
    return [...this.#tables.keys.values()]
  }

  /** Returns the pre-auth key with this prefix. */
  preAuthKeyByPrefix(prefix: string): PreAuthKeyRecord | undefined {
    return this.preAuthKeys().find((key) => key.prefix === prefix)
  }

  /** Adds a pre-auth key. */
  insertPreAuthKey(key: Omit<PreAuthKeyRecord, 'id'>): PreAuthKeyRecord {
    const added = { ...key, id: (this.#lastIds.keys += 1) }
    this.#tables.keys.set(added.id, added)
    return added
  }

  /** Marks a key used if it may be used. */
  consumePreAuthKey(id: number, at: number): boolean {
    const key = this.#tables.keys.get(id)
    if (!key || (!key.reusable && key.usedAt !== undefined)) return false
    this.#tables.keys.set(id, { ...key, usedAt: key.usedAt ?? at })
    return true
  }

  /** Makes a key expire. */
  expirePreAuthKey(id: number, at: number): boolean {
    const key = this.#tables.keys.get(id)
    if (key) this.#tables.keys.set(id, { ...key, expiresAt: at })
    return key !== undefined
  }

  /** Returns all nodes. */
  nodes(): NodeRecord[] {
    return [...this.#tables.nodes.values()]
  }

  /** Adds a node. */
  insertNode(node: Omit<NodeRecord, 'id'>): NodeRecord {
    const added = { ...node, id: this.#lastIds.nodes + 1 }
    this.#refuseDouble(added)
    this.#lastIds.nodes = added.id
    this.#tables.nodes.set(added.id, added)
    return added
  }

  /** Replaces a node. */
  updateNode(node: NodeRecord): void {
    if (!this.#tables.nodes.has(node.id))
      throw new ControlError('ERR_CONTROL_STORE', `There is no node ${node.id}.`)
    this.#refuseDouble(node)
    this.#tables.nodes.set(node.id, node)
  }

  /** Removes a node. */
  deleteNode(id: number): boolean {
    return this.#tables.nodes.delete(id)
  }

  /** Does nothing. */
  close(): void {}

  #refuseDouble(node: NodeRecord): void {
    for (const field of ['nodeKey', 'givenName', 'ipv4', 'ipv6', 'stableId'] as const) {
      const holder = this.nodes().find((each) => each.id !== node.id && each[field] === node[field])
      if (holder) throw new ControlError('ERR_CONTROL_STORE', `Node ${holder.id} has this ${field} already.`)
    }
  }
}
