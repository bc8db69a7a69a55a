// The network as it stands: the store's records in memory, indexed by what requests ask for. Every change goes to the
// store first, and is noted so that the coordinator knows whose maps to look at again.

import { higherAddress, nextAddresses } from './addresses.ts'
import { ControlError } from './errors.ts'
import { isNameOf, sanitizeHostname, uniqueName } from './names.ts'
import type { NodeRecord, UserRecord } from './records.ts'
import type { Store } from './store.ts'

/** A node about to be: all of its record but what the network gives it. */
export type NodeDraft = Omit<NodeRecord, 'id' | 'givenName' | 'ipv4' | 'ipv6'>

/** What an update may change of a node. */
export type NodeChange = Partial<
  Omit<NodeRecord, 'id' | 'stableId' | 'machineKey' | 'ipv4' | 'ipv6' | 'createdAt'>
>

/** Users and nodes, in memory and in the store. */
export class Network {
  readonly #store: Store
  readonly #users = new Map<number, UserRecord>()
  readonly #nodes = new Map<number, NodeRecord>()
  readonly #byNodeKey = new Map<string, number>()
  readonly #byMachine = new Map<string, Set<number>>()
  readonly #names = new Set<string>()
  readonly #ipv4 = new Set<string>()
  #lastIpv4: string | undefined
  #changed = new Set<number>()

  constructor(store: Store) {
    this.#store = store
    for (const user of store.users()) this.#users.set(user.id, user)
    for (const node of store.nodes()) this.#index(node)
  }

  /** All users. */
  users(): UserRecord[] {
    return [...this.#users.values()]
  }

  user(id: number): UserRecord | undefined {
    return this.#users.get(id)
  }

  userByName(name: string): UserRecord | undefined {
    return this.users().find((user) => user.name === name)
  }

  addUser(user: Omit<UserRecord, 'id'>): UserRecord {
    const added = this.#store.insertUser(user)
    this.#users.set(added.id, added)
    return added
  }

  /** Changes a user; whoever sees their nodes has to hear of it. */
  updateUser(user: UserRecord): UserRecord {
    this.#store.updateUser(user)
    this.#users.set(user.id, user)
    for (const node of this.#nodes.values()) if (node.user === user.id) this.touch(node.id)
    return user
  }

  /** Removes a user who has no nodes; nodes that came in with one of their keys forget it. */
  removeUser(id: number): void {
    this.#store.deleteUser(id)
    this.#users.delete(id)
    for (const { id: node, preAuthKey } of this.#store.nodes()) {
      const known = this.#nodes.get(node)
      if (known && known.preAuthKey !== preAuthKey) this.#nodes.set(node, { ...known, preAuthKey })
    }
  }

  /** Tells whether a node has this name. */
  isNameTaken(name: string): boolean {
    return this.#names.has(name)
  }

  /** All nodes, in the order in which they came. */
  nodes(): IterableIterator<NodeRecord> {
    return this.#nodes.values()
  }

  /** The ids of all nodes. */
  ids(): IterableIterator<number> {
    return this.#nodes.keys()
  }

  node(id: number): NodeRecord | undefined {
    return this.#nodes.get(id)
  }

  nodeByKey(nodeKey: string): NodeRecord | undefined {
    const id = this.#byNodeKey.get(nodeKey)
    return id === undefined ? undefined : this.#nodes.get(id)
  }

  nodesOfMachine(machineKey: string): NodeRecord[] {
    const ids = this.#byMachine.get(machineKey) ?? []
    return [...ids].map((id) => this.#nodes.get(id)).filter((node) => node !== undefined)
  }

  /**
   * Adds a node, with a free address pair and a free name.
   *
   * @param alsoWrite - Writes that must happen with it or not at all; by throwing it prevents both.
   */
  addNode(draft: NodeDraft, alsoWrite: () => void): NodeRecord {
    const addresses = nextAddresses(this.#lastIpv4, (ipv4) => this.#ipv4.has(ipv4))
    if (!addresses)
      throw new ControlError('ERR_CONTROL_ADDRESSES_EXHAUSTED', 'Every address of 100.64.0.0/10 is taken.')
    const label = sanitizeHostname(draft.hostinfo.Hostname ?? '')
    const givenName = uniqueName(label, (name) => this.#names.has(name))
    const added = this.#store.transact(() => {
      alsoWrite()
      return this.#store.insertNode({ ...draft, givenName, ...addresses })
    })
    this.#index(added)
    this.#changed.add(added.id)
    return added
  }

  /** Changes a node; a new hostname brings a new name with it, unless somebody chose the name. `alsoWrite` is as for {@link addNode}. */
  updateNode(id: number, change: NodeChange, alsoWrite: () => void = () => undefined): NodeRecord {
    const before = this.#nodes.get(id)
    if (!before) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${id}.`)
    const after: NodeRecord = { ...before, ...change, givenName: this.#nameAfter(before, change) }
    this.#store.transact(() => {
      alsoWrite()
      this.#store.updateNode(after)
    })
    this.#unindex(before)
    this.#index(after)
    this.#changed.add(id)
    return after
  }

  /** Removes a node. Returns what it was, or `undefined` when there is none. */
  removeNode(id: number): NodeRecord | undefined {
    const node = this.#nodes.get(id)
    if (!node) return undefined
    this.#store.deleteNode(id)
    this.#unindex(node)
    this.#nodes.delete(id)
    this.#changed.add(id)
    return node
  }

  /** Notes that a node looks different to others without a change of its record: online state, expiry. */
  touch(id: number): void {
    this.#changed.add(id)
  }

  /** Returns the nodes changed, added or removed since the last call. */
  takeChanged(): ReadonlySet<number> {
    const changed = this.#changed
    if (changed.size > 0) this.#changed = new Set()
    return changed
  }

  #nameAfter(before: NodeRecord, change: NodeChange): string {
    if (change.givenName !== undefined) return change.givenName
    const hostname = change.hostinfo?.Hostname
    if (hostname === undefined || hostname === before.hostinfo.Hostname) return before.givenName
    const label = sanitizeHostname(hostname)
    const wasChosen = !isNameOf(before.givenName, sanitizeHostname(before.hostinfo.Hostname ?? ''))
    if (wasChosen || isNameOf(before.givenName, label)) return before.givenName
    return uniqueName(label, (name) => name !== before.givenName && this.#names.has(name))
  }

  #index(node: NodeRecord): void {
    this.#nodes.set(node.id, node)
    this.#byNodeKey.set(node.nodeKey, node.id)
    this.#names.add(node.givenName)
    this.#ipv4.add(node.ipv4)
    this.#lastIpv4 = higherAddress(this.#lastIpv4, node.ipv4)
    const machine = this.#byMachine.get(node.machineKey)
    if (machine) machine.add(node.id)
    else this.#byMachine.set(node.machineKey, new Set([node.id]))
  }

  #unindex(node: NodeRecord): void {
    this.#byNodeKey.delete(node.nodeKey)
    this.#names.delete(node.givenName)
    this.#ipv4.delete(node.ipv4)
    const machine = this.#byMachine.get(node.machineKey)
    machine?.delete(node.id)
    if (machine?.size === 0) this.#byMachine.delete(node.machineKey)
  }
}
