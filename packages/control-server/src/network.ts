// The network as it stands: its records, indexed by what requests ask for. Whatever changes them, a request, an
// administrator, another server or a transaction taken back, the indexes follow, and the nodes whose maps must be looked
// at again are noted.

import { nextAddresses, WHOLE_RANGE } from './addresses.ts'
import type { AddressRange, NodeAddresses } from './addresses.ts'
import { ControlError } from './errors.ts'
import { isNameOf, sanitizeHostname, uniqueName } from './names.ts'
import type {
  LoginRecord,
  NodeRecord,
  PolicyRecord,
  PreAuthKeyRecord,
  ReservationRecord,
  UserRecord,
} from './records.ts'
import { State } from './state.ts'
import type { StateChange } from './state.ts'
import type { News } from './store.ts'

/** A node about to be: all of its record but what the network gives it. */
export type NodeDraft = Omit<
  NodeRecord,
  'id' | 'givenName' | 'ipv4' | 'ipv6' | 'primaryRoutes' | 'connectedTo' | 'lastSeen'
>

/** What an update may change of a node. */
export type NodeChange = Partial<Omit<NodeRecord, 'id' | 'stableId' | 'machineKey' | 'createdAt'>>

/** How new nodes get their addresses. */
export interface AddressPlan {
  /** Where from. */
  readonly range: AddressRange
  /** Returns a number from 0 to 2³² − 1, to look for a free one anywhere; left out, they go up one after the other. */
  readonly draw?: () => number
}

/** How many policies are kept, the one in force among them. */
const MAX_POLICIES = 100

/** Users, keys, nodes, waiting logins and policies. */
export class Network {
  /** The records themselves, with what was changed and is not yet committed. */
  readonly state: State
  readonly #userNames = new Map<string, number>()
  readonly #keyPrefixes = new Map<string, number>()
  readonly #nodeKeys = new Map<string, number>()
  readonly #machines = new Map<string, Set<number>>()
  readonly #names = new Map<string, number>()
  readonly #ipv4 = new Map<string, number>()
  readonly #reserved = new Map<string, number>()
  readonly #logins = new Map<string, number>()
  #changedNodes = new Set<number>()
  #changedLogins = new Set<string>()

  readonly #plan: AddressPlan
  readonly #keptNames: ReadonlySet<string>

  /** `keptNames` are no node's to take. */
  constructor(
    records: News,
    plan: AddressPlan = { range: WHOLE_RANGE },
    keptNames: ReadonlySet<string> = new Set(),
  ) {
    this.#plan = plan
    this.#keptNames = keptNames
    this.state = new State((change) => this.#follow(change))
    this.state.take(records)
  }

  /** All users. */
  users(): UserRecord[] {
    return [...this.state.all('users').values()]
  }

  user(id: number | undefined): UserRecord | undefined {
    return id === undefined ? undefined : this.state.all('users').get(id)
  }

  userByName(name: string): UserRecord | undefined {
    return this.user(this.#userNames.get(name))
  }

  addUser(user: Omit<UserRecord, 'id'>): UserRecord {
    this.#refuseName(user.name)
    return this.state.add('users', user)
  }

  /** Changes a user; whoever sees their nodes has to hear of it. */
  updateUser(user: UserRecord): UserRecord {
    this.#refuseName(user.name, user.id)
    this.state.put('users', user)
    return user
  }

  /** Removes a user who has no nodes, with their keys; nodes that came in with one of those forget it. */
  removeUser(id: number): void {
    for (const key of this.preAuthKeys()) if (key.user === id) this.removePreAuthKey(key.id)
    this.state.remove('users', id)
  }

  /** Removes a pre-auth key; nodes that came in with it forget it. */
  removePreAuthKey(id: number): void {
    for (const node of this.nodes())
      if (node.preAuthKey === id) this.state.put('nodes', { ...node, preAuthKey: undefined })
    this.state.remove('preAuthKeys', id)
  }

  /** All pre-auth keys. */
  preAuthKeys(): PreAuthKeyRecord[] {
    return [...this.state.all('preAuthKeys').values()]
  }

  preAuthKeyByPrefix(prefix: string): PreAuthKeyRecord | undefined {
    return this.state.all('preAuthKeys').get(this.#keyPrefixes.get(prefix) ?? 0)
  }

  /** Tells whether a node has this name, or none may. */
  isNameTaken(name: string): boolean {
    return this.#names.has(name) || this.#keptNames.has(name)
  }

  nodeByName(name: string): NodeRecord | undefined {
    return this.node(this.#names.get(name))
  }

  /** All nodes, in the order in which they came. */
  nodes(): IterableIterator<NodeRecord> {
    return this.state.all('nodes').values()
  }

  node(id: number | undefined): NodeRecord | undefined {
    return id === undefined ? undefined : this.state.all('nodes').get(id)
  }

  nodeByKey(nodeKey: string): NodeRecord | undefined {
    return this.node(this.#nodeKeys.get(nodeKey))
  }

  nodesOfMachine(machineKey: string): NodeRecord[] {
    const ids = this.#machines.get(machineKey) ?? []
    return [...ids].map((id) => this.node(id)).filter((node) => node !== undefined)
  }

  /** Returns the node that has an address in 100.64.0.0/10. */
  nodeAt(ipv4: string): NodeRecord | undefined {
    return this.node(this.#ipv4.get(ipv4))
  }

  /** Returns the reservation of an address in 100.64.0.0/10. */
  reservationAt(ipv4: string): ReservationRecord | undefined {
    return this.state.all('reservations').get(this.#reserved.get(ipv4) ?? 0)
  }

  /** Returns a pair that no node has and that is reserved for none. */
  freeAddresses(): NodeAddresses {
    const { range, draw } = this.#plan
    const last = draw ? range.first + (draw() % range.size) : this.state.counters.address
    const free = nextAddresses(last, (ipv4) => this.#ipv4.has(ipv4) || this.#reserved.has(ipv4), range)
    if (free) return free
    throw new ControlError(
      'ERR_CONTROL_ADDRESSES_EXHAUSTED',
      'Every address of the range is taken or reserved.',
    )
  }

  /** Adds a node, with the addresses that are reserved for it or a free pair, and a free name. */
  addNode(draft: NodeDraft): NodeRecord {
    const label = sanitizeHostname(draft.hostinfo.Hostname ?? '')
    const givenName = uniqueName(label, (name) => this.isNameTaken(name))
    const { address } = this.state.counters
    const { ipv4, ipv6, number } = this.#reservedFor(draft, label, address) ?? this.freeAddresses()
    const fresh = { primaryRoutes: [], connectedTo: undefined, lastSeen: undefined }
    return this.state.add('nodes', { ...draft, ...fresh, givenName, ipv4, ipv6 }, { address: number })
  }

  /** Changes a node; a new hostname brings a new name with it, unless somebody chose the name. */
  updateNode(id: number, change: NodeChange): NodeRecord {
    const before = this.node(id)
    if (!before) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${id}.`)
    const after: NodeRecord = { ...before, ...change, givenName: this.#nameAfter(before, change) }
    this.state.put('nodes', after)
    return after
  }

  /** Removes a node. Returns what it was, or `undefined` when there is none. */
  removeNode(id: number): NodeRecord | undefined {
    return this.state.remove('nodes', id)
  }

  /** All waiting logins, the one that asked longest ago first. */
  logins(): IterableIterator<LoginRecord> {
    return this.state.all('logins').values()
  }

  login(key: string): LoginRecord | undefined {
    return this.state.all('logins').get(this.#logins.get(key) ?? 0)
  }

  /** The policy in force, if one was written. */
  policy(): PolicyRecord | undefined {
    let newest: PolicyRecord | undefined
    // Not the last one in order: a change that was taken back puts an old one there.
    for (const each of this.state.all('policies').values()) if (each.id > (newest?.id ?? 0)) newest = each
    return newest
  }

  /** Puts a policy in force, and forgets the oldest where there are many. */
  addPolicy(policy: Omit<PolicyRecord, 'id'>): PolicyRecord {
    const [oldest, ...others] = this.state.all('policies').keys()
    if (oldest !== undefined && others.length + 1 >= MAX_POLICIES) this.state.remove('policies', oldest)
    return this.state.add('policies', policy)
  }

  /** Notes that a node looks different to others without a change of its record: expiry. */
  touch(id: number): void {
    this.#changedNodes.add(id)
  }

  /** Returns the nodes changed, added or removed since the last call. */
  takeChangedNodes(): ReadonlySet<number> {
    const changed = this.#changedNodes
    if (changed.size > 0) this.#changedNodes = new Set()
    return changed
  }

  /** Returns the keys of the logins changed, added or removed since the last call. */
  takeChangedLogins(): ReadonlySet<string> {
    const changed = this.#changedLogins
    if (changed.size > 0) this.#changedLogins = new Set()
    return changed
  }

  #refuseName(name: string, except?: number): void {
    const holder = this.#userNames.get(name)
    if (holder === undefined || holder === except) return
    throw new ControlError('ERR_CONTROL_USER_EXISTS', `There is a user named ${name} already.`)
  }

  /** What is reserved for a name is for the first node that comes with it. Whoever comes next goes on from `last`. */
  #reservedFor({ machineKey, nodeKey }: NodeDraft, label: string, last: number): NodeAddresses | undefined {
    for (const { holder, ipv4, ipv6 } of this.state.all('reservations').values())
      if ([machineKey, nodeKey, label].includes(holder) && !this.#ipv4.has(ipv4))
        return { ipv4, ipv6, number: last }
    return undefined
  }

  #nameAfter(before: NodeRecord, change: NodeChange): string {
    if (change.givenName !== undefined) return change.givenName
    const hostname = change.hostinfo?.Hostname
    if (hostname === undefined || hostname === before.hostinfo.Hostname) return before.givenName
    const label = sanitizeHostname(hostname)
    const wasChosen = !isNameOf(before.givenName, sanitizeHostname(before.hostinfo.Hostname ?? ''))
    if (wasChosen || isNameOf(before.givenName, label)) return before.givenName
    return uniqueName(label, (name) => name !== before.givenName && this.isNameTaken(name))
  }

  #follow(change: StateChange): void {
    switch (change.kind) {
      case 'users':
        return this.#followUser(change.before, change.after)
      case 'preAuthKeys':
        if (change.before) forget(this.#keyPrefixes, change.before.prefix, change.before.id)
        if (change.after) this.#keyPrefixes.set(change.after.prefix, change.after.id)
        return
      case 'nodes':
        return this.#followNode(change.before, change.after)
      case 'logins':
        return this.#followLogin(change.before, change.after)
      case 'policies':
        for (const node of this.nodes()) this.touch(node.id)
        return
      case 'reservations':
        if (change.before) forget(this.#reserved, change.before.ipv4, change.before.id)
        if (change.after) this.#reserved.set(change.after.ipv4, change.after.id)
        return
      case 'apiKeys':
      case 'sshChecks':
        return
    }
  }

  #followUser(before: UserRecord | undefined, after: UserRecord | undefined): void {
    if (before) forget(this.#userNames, before.name, before.id)
    if (after) this.#userNames.set(after.name, after.id)
    if (before && after) for (const node of this.nodes()) if (node.user === after.id) this.touch(node.id)
  }

  #followLogin(before: LoginRecord | undefined, after: LoginRecord | undefined): void {
    if (before) forget(this.#logins, before.key, before.id)
    if (after) this.#logins.set(after.key, after.id)
    for (const login of [before, after]) if (login) this.#changedLogins.add(login.key)
  }

  #followNode(before: NodeRecord | undefined, after: NodeRecord | undefined): void {
    if (before) this.#unindex(before)
    if (after) this.#index(after)
    for (const node of [before, after]) if (node) this.touch(node.id)
  }

  #index(node: NodeRecord): void {
    this.#nodeKeys.set(node.nodeKey, node.id)
    this.#names.set(node.givenName, node.id)
    this.#ipv4.set(node.ipv4, node.id)
    const machine = this.#machines.get(node.machineKey)
    if (machine) machine.add(node.id)
    else this.#machines.set(node.machineKey, new Set([node.id]))
  }

  #unindex(node: NodeRecord): void {
    forget(this.#nodeKeys, node.nodeKey, node.id)
    forget(this.#names, node.givenName, node.id)
    forget(this.#ipv4, node.ipv4, node.id)
    const machine = this.#machines.get(node.machineKey)
    machine?.delete(node.id)
    if (machine?.size === 0) this.#machines.delete(node.machineKey)
  }
}

/** Forgets who has a key, unless somebody else has it by now: what others changed comes in any order. */
function forget(index: Map<string, number>, key: string, id: number): void {
  if (index.get(key) === id) index.delete(key)
}
