// The coordinator as one machine. A shell gives each HTTP exchange a number and passes in who Noise says is asking;
// what to answer comes out of poll. A map request that follows the map stays open: its exchange becomes a session.

import type { Machine } from '@mesh/sansio'
import type { MapRequest, MapResponse, RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { isZeroKey, KEEP_ALIVE_RESPONSE, MINIMUM_CAPABILITY_VERSION } from '@mesh/wire/control'
import { Accounts } from './accounts.ts'
import type { MadePreAuthKey, NewPreAuthKey, NewUser, NodeStatus } from './admin.ts'
import { reportedChange } from './claims.ts'
import type { CoordinatorOutput } from './coordinator-output.ts'
import {
  BATCH_INTERVAL,
  KEEP_ALIVE_INTERVAL,
  KEEP_ALIVE_JITTER,
  MAX_EXPIRY_WAIT,
  MAX_SESSIONS_PER_NODE,
} from './coordinator-limits.ts'
import { Deadlines } from './deadlines.ts'
import { ControlError } from './errors.ts'
import { MapSession } from './map-session.ts'
import { MapViews } from './map-views.ts'
import { Network } from './network.ts'
import type { NodeChange } from './network.ts'
import { NodeChanges } from './node-changes.ts'
import { isExpired } from './node-view.ts'
import { checkOptions, dnsConfigOf, EPHEMERAL_TIMEOUT } from './options.ts'
import type { CoordinatorOptions } from './options.ts'
import { followedId, PendingRegistrations } from './pending.ts'
import type { PendingRegistration } from './pending.ts'
import { Pings } from './pings.ts'
import type { PingKind } from './pings.ts'
import { OFFLINE_GRACE, Presence } from './presence.ts'
import type { NodeRecord, PreAuthKeyRecord, UserRecord } from './records.ts'
import { askAt, refusal, Registrar } from './registration.ts'
import { RouteTable, servableRoutes } from './routes.ts'

/** Decides who is in the network and tells every node what it needs to know of the others. */
export class Coordinator implements Machine<CoordinatorOutput> {
  readonly #options: CoordinatorOptions
  readonly #network: Network
  readonly #accounts: Accounts
  readonly #changes: NodeChanges
  readonly #registrar: Registrar
  readonly #pending: PendingRegistrations
  readonly #pings: Pings
  readonly #presence = new Presence()
  readonly #routes = new RouteTable()
  readonly #views: MapViews
  readonly #sessions = new Map<number, MapSession>()
  readonly #keepAlives = new Deadlines<number>()
  readonly #ephemeral = new Deadlines<number>()
  readonly #expiries = new Deadlines<number>()
  readonly #out: CoordinatorOutput[] = []
  #flushAt = Infinity

  /** Throws {@link ControlError} `ERR_CONTROL_CONFIG` when the options cannot work. */
  constructor(options: CoordinatorOptions) {
    checkOptions(options)
    const { store, baseDomain, wallClock, random, hash, nodeKeyLifetime = 0 } = options
    this.#options = options
    this.#network = new Network(store)
    this.#accounts = new Accounts(this.#network, options)
    this.#changes = new NodeChanges(this.#network)
    this.#pings = new Pings(random, options.serverUrl)
    this.#pending = new PendingRegistrations(random)
    this.#registrar = new Registrar({
      network: this.#network,
      store,
      baseDomain,
      wallClock,
      random,
      hash,
      nodeKeyLifetime,
    })
    this.#views = new MapViews({
      network: this.#network,
      isOnline: (node) => this.#presence.isOnline(node),
      routesOf: (node) => this.#routes.routesOf(node),
      policy: options.policy ?? { kind: 'allow-all' },
      derpMap: options.derpMap,
      dnsConfig: dnsConfigOf(options),
      baseDomain,
      wallClock,
    })
    for (const node of this.#network.nodes()) {
      this.#watch(node, options.now)
      this.#route(node.id)
    }
  }

  /** Takes a register request from the machine that Noise proved. Answered by `register-response`, maybe much later. */
  handleRegister(exchange: number, machineKey: string, request: RegisterRequest, now: number): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const followed = followedId(request.Followup)
    if (followed !== undefined && this.#pending.isFor(followed, machineKey, request.NodeKey)) {
      const displaced = this.#pending.wait(followed, exchange)
      if (displaced !== undefined) this.#answer(displaced, refusal('another request took over this login'))
      return
    }
    const before = this.#network.nodeByKey(request.NodeKey)
    const decision = this.#registrar.decide(machineKey, request)
    if (decision.kind === 'ask') this.#ask(exchange, machineKey, request, now)
    else this.#answer(exchange, decision.response)
    if (decision.kind === 'answer' && decision.loggedOut !== undefined) this.#leave(decision.loggedOut, now)
    else if (!before) this.#noteRegistered(request.NodeKey)
    this.#absorb(now)
  }

  /** Takes a map request from the machine that Noise proved: a session, an update of its node, or one snapshot. */
  handleMap(exchange: number, machineKey: string, request: MapRequest, now: number): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const node = this.#network.nodeByKey(request.NodeKey)
    if (!node || node.machineKey !== machineKey) {
      this.#out.push({ kind: 'refuse', exchange, status: 404, text: 'node not found' })
      return
    }
    this.#update(node, request)
    if (request.Stream) this.#openSession(exchange, node, now)
    else if (request.OmitPeers) this.#out.push({ kind: 'end', exchange })
    else this.#sendOnce(exchange, node)
    this.#absorb(now)
  }

  /** Takes the end of an exchange from its client: a stream closed, a held request given up. */
  handleGone(exchange: number, now: number): void {
    this.#pending.leave(exchange)
    this.#closeSession(exchange, now)
    this.#absorb(now)
  }

  /** Lets in a node that waits for a person; its client hears at once. */
  approve(registration: string, userName: string, now: number): NodeRecord {
    const user = this.#accounts.userNamed(userName)
    const pending = this.#pending.get(registration)
    if (!pending) {
      const message = `No login waits under ${registration}: it may have expired, start it again on the machine.`
      throw new ControlError('ERR_CONTROL_REGISTRATION_UNKNOWN', message)
    }
    const { machineKey, request } = pending
    // Taken out only afterwards: when the store fails, the login goes on waiting and may be approved again.
    const response = this.#registrar.approve(machineKey, request, user.id)
    for (const exchange of this.#pending.take(registration)?.waiting ?? []) this.#answer(exchange, response)
    this.#noteRegistered(request.NodeKey)
    this.#absorb(now)
    const node = this.#network.nodeByKey(request.NodeKey)
    if (!node)
      throw new ControlError(
        'ERR_CONTROL_REGISTRATION_UNKNOWN',
        response.Error || 'The machine has to log in again.',
      )
    return node
  }

  /** Returns the login that waits under this id. */
  pendingRegistration(id: string): PendingRegistration | undefined {
    return this.#pending.get(id)
  }

  /** Returns the machine's node with this key, or `undefined` when there is none or it is another machine's. */
  nodeOf(machineKey: string, nodeKey: string): NodeRecord | undefined {
    const node = this.#network.nodeByKey(nodeKey)
    return node?.machineKey === machineKey ? node : undefined
  }

  /** Says in a sentence which nodes a machine has. */
  whoIs(machineKey: string): string {
    const names = this.#network.nodesOfMachine(machineKey).map((node) => this.#statusOf(node).dnsName)
    return `${machineKey}: ${names.length > 0 ? names.join(', ') : 'no node'}`
  }

  /** Tells whether a relay should serve this node key: that of a node whose login has not expired. */
  admits(nodeKey: string): boolean {
    const node = this.#network.nodeByKey(nodeKey)
    return node !== undefined && !isExpired(node, this.#wall())
  }

  /** Makes a user. */
  createUser(user: NewUser): UserRecord {
    return this.#accounts.createUser(user)
  }

  /** Changes a user's name, which peers see at once, and what people read, which becomes the name when left out. */
  renameUser(nameOrId: string, to: NewUser, now: number): UserRecord {
    const user = this.#accounts.renameUser(nameOrId, to)
    this.#absorb(now)
    return user
  }

  /** Removes a user who has no nodes, with their pre-auth keys. */
  deleteUser(nameOrId: string): UserRecord {
    return this.#accounts.deleteUser(nameOrId)
  }

  /** Returns all users. */
  users(): readonly UserRecord[] {
    return this.#network.users()
  }

  /** Makes a pre-auth key. */
  createPreAuthKey(wish: NewPreAuthKey): MadePreAuthKey {
    return this.#accounts.createPreAuthKey(wish)
  }

  /** Returns all pre-auth keys. */
  preAuthKeys(): readonly PreAuthKeyRecord[] {
    return this.#options.store.preAuthKeys()
  }

  /** Makes a pre-auth key expire now, given its number, its prefix or its whole text. */
  expirePreAuthKey(which: string): PreAuthKeyRecord {
    return this.#accounts.expirePreAuthKey(which)
  }

  /** Returns all nodes. */
  nodes(): readonly NodeStatus[] {
    return [...this.#network.nodes()].map((node) => this.#statusOf(node))
  }

  /** Returns one node. Throws {@link ControlError} `ERR_CONTROL_NODE_UNKNOWN` when there is none. */
  node(id: number): NodeStatus {
    return this.#statusOf(this.#changes.known(id))
  }

  /** Removes a node: it is told that its key has expired, the others that it is gone. */
  deleteNode(id: number, now: number): void {
    const node = this.#changes.known(id)
    for (const [exchange, session] of this.#sessions) {
      if (session.nodeId === id) this.#sayFarewell(exchange, node)
    }
    this.#network.removeNode(id)
    this.#absorb(now)
  }

  /** Sets when a node's key ends: now when `at` is left out, so that it must log in again; `never` undoes that. */
  expireNode(id: number, now: number, at: number | 'never' = this.#wall()): void {
    this.#changes.expire(id, at === 'never' ? undefined : at)
    this.#absorb(now)
  }

  /** Gives a node another name, which it keeps whatever its machine calls itself later. */
  renameNode(id: number, name: string, now: number): void {
    this.#changes.rename(id, name)
    this.#absorb(now)
  }

  /** Makes tags the owner of a node, in place of its user. */
  tagNode(id: number, tags: readonly string[], now: number): void {
    this.#changes.tag(id, tags)
    this.#absorb(now)
  }

  /** Sets which prefixes a node may route for the others, in place of those before. One exit route stands for both. */
  approveRoutes(id: number, routes: readonly string[], now: number): void {
    this.#changes.approveRoutes(id, routes)
    this.#absorb(now)
  }

  /** Asks a node whether it is there. Returns the id under which a `pong` tells how that ended. */
  ping(id: number, kind: PingKind, now: number): string {
    const node = this.#changes.known(id)
    const newest = [...this.#sessions].findLast(([, session]) => session.nodeId === id)
    if (!newest)
      throw new ControlError('ERR_CONTROL_NODE_OFFLINE', `Node ${node.givenName} is not connected.`)
    const asked = this.#pings.ask(node.machineKey, kind, now)
    this.#send(newest[0], { PingRequest: asked.request }, now)
    return asked.id
  }

  /** Takes an answer to a ping. Returns false when nobody waits for it, or it is another machine's to give. */
  handlePong(id: string, kind: PingKind, machineKey: string | undefined, now: number): boolean {
    const outcome = this.#pings.answer(id, kind, machineKey, now)
    if (outcome) this.#out.push({ kind: 'pong', ...outcome })
    return outcome !== undefined
  }

  /** Does what is due at `now`. */
  handleTimeout(now: number): void {
    for (const node of this.#presence.due(now)) this.#goOffline(node, now)
    for (const node of this.#ephemeral.due(now)) this.#removeAbsent(node, now)
    for (const node of this.#expiries.due(now)) this.#checkExpiry(node, now)
    for (const id of this.#pending.due(now)) this.#renewPending(id, now)
    for (const outcome of this.#pings.due(now)) this.#out.push({ kind: 'pong', ...outcome })
    this.#absorb(now)
    if (now >= this.#flushAt) this.#flush(now)
    for (const exchange of this.#keepAlives.due(now)) this.#send(exchange, KEEP_ALIVE_RESPONSE, now)
  }

  /** Returns the next thing to do, or `undefined` when there is nothing left. */
  poll(): CoordinatorOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link Coordinator.handleTimeout}; it may be early. */
  pollTimeout(): number {
    return Math.min(
      this.#flushAt,
      this.#keepAlives.next(),
      this.#presence.next(),
      this.#ephemeral.next(),
      this.#expiries.next(),
      this.#pending.next(),
      this.#pings.next(),
    )
  }

  #speaksOurVersion(exchange: number, version: number): boolean {
    if (version >= MINIMUM_CAPABILITY_VERSION) return true
    const text = `unsupported client version ${version}: this server needs ${MINIMUM_CAPABILITY_VERSION} or later`
    this.#out.push({ kind: 'refuse', exchange, status: 400, text })
    return false
  }

  #answer(exchange: number, response: RegisterResponse): void {
    this.#out.push({ kind: 'register-response', exchange, response })
  }

  #ask(exchange: number, machineKey: string, request: RegisterRequest, now: number): void {
    for (const displaced of this.#pending.makeRoom())
      this.#answer(displaced, refusal('too many logins are waiting'))
    const { id } = this.#pending.ask(machineKey, request, now)
    this.#answer(exchange, askAt(`${this.#options.serverUrl}/register/${id}`))
  }

  /** The time of a waiting login is over: whoever still waits for it is sent to a new page. */
  #renewPending(id: string, now: number): void {
    const taken = this.#pending.take(id)
    if (!taken) return
    const { machineKey, request } = taken.pending
    for (const exchange of taken.waiting) this.#ask(exchange, machineKey, request, now)
  }

  #noteRegistered(nodeKey: string): void {
    const node = this.#network.nodeByKey(nodeKey)
    if (node) this.#out.push({ kind: 'event', event: 'registered', node: node.id })
  }

  /** Takes what a request says of its node. A stream says nothing new but a first disco key (control §3.2). */
  #update(node: NodeRecord, request: MapRequest): void {
    const discoKey = isZeroKey(request.DiscoKey) ? '' : (request.DiscoKey ?? '')
    const change: { -readonly [K in keyof NodeChange]: NodeChange[K] } = {}
    if (discoKey !== '' && discoKey !== node.discoKey && (!request.Stream || node.discoKey === '')) {
      change.discoKey = discoKey
    }
    if (request.Version !== node.capVersion) change.capVersion = request.Version
    if (!request.Stream) Object.assign(change, reportedChange(node, request))
    if (Object.keys(change).length > 0) this.#network.updateNode(node.id, change)
  }

  #openSession(exchange: number, node: NodeRecord, now: number): void {
    const older = [...this.#sessions].filter(([, session]) => session.nodeId === node.id)
    const [oldest] = older
    if (oldest && older.length >= MAX_SESSIONS_PER_NODE) this.#endSession(oldest[0], now)
    const session = new MapSession(node.id, node.nodeKey)
    this.#sessions.set(exchange, session)
    this.#ephemeral.delete(node.id)
    if (this.#presence.connect(node.id)) {
      this.#out.push({ kind: 'event', event: 'online', node: node.id })
      this.#network.updateNode(node.id, { lastSeen: this.#wall() })
    }
    this.#absorb(now)
    this.#send(exchange, session.first(this.#views.viewFor(node.id)), now)
  }

  #sendOnce(exchange: number, node: NodeRecord): void {
    const response = new MapSession(node.id, node.nodeKey).first(this.#views.viewFor(node.id))
    this.#out.push({ kind: 'map-response', exchange, response }, { kind: 'end', exchange })
  }

  #send(exchange: number, response: MapResponse, now: number): void {
    this.#out.push({ kind: 'map-response', exchange, response })
    const [jitter = 0] = this.#options.random(1)
    this.#keepAlives.set(exchange, now + KEEP_ALIVE_INTERVAL + (jitter / 255) * KEEP_ALIVE_JITTER)
  }

  #endSession(exchange: number, now: number): void {
    if (!this.#sessions.has(exchange)) return
    this.#out.push({ kind: 'end', exchange })
    this.#closeSession(exchange, now)
  }

  #closeSession(exchange: number, now: number): void {
    const session = this.#sessions.get(exchange)
    if (!session) return
    this.#sessions.delete(exchange)
    this.#keepAlives.delete(exchange)
    this.#presence.disconnect(session.nodeId, now)
  }

  /** Looks at what changed: whose views, whose sessions, whose deadlines; then gathers before telling anybody. */
  #absorb(now: number): void {
    const noted = this.#network.takeChanged()
    if (noted.size === 0) return
    const changed = new Set(noted)
    for (const id of noted) for (const other of this.#route(id)) changed.add(other)
    this.#views.invalidate(changed)
    for (const id of changed) {
      const node = this.#network.node(id)
      if (node) this.#watch(node, now)
      else this.#forget(id)
    }
    for (const [exchange, session] of this.#sessions) {
      session.markChanged(changed)
      if (changed.has(session.nodeId) && !this.#stillListens(session)) this.#endSession(exchange, now)
    }
    if (this.#sessions.size > 0) this.#flushAt = Math.min(this.#flushAt, now + BATCH_INTERVAL)
  }

  /** Looks at what a node may route now. Returns the nodes whose routes changed by it. */
  #route(id: number): ReadonlySet<number> {
    const node = this.#network.node(id)
    const isThere = node !== undefined && this.#presence.isOnline(id) && !isExpired(node, this.#wall())
    return this.#routes.update(id, node ? servableRoutes(node) : [], isThere)
  }

  #stillListens(session: MapSession): boolean {
    return this.#network.node(session.nodeId)?.nodeKey === session.nodeKey
  }

  #watch(node: NodeRecord, now: number): void {
    this.#expiries.delete(node.id)
    const wall = this.#wall()
    if (node.expiresAt !== undefined && !isExpired(node, wall)) {
      this.#expiries.set(node.id, now + Math.min(node.expiresAt - wall, MAX_EXPIRY_WAIT))
    }
    if (!node.ephemeral || this.#presence.isConnected(node.id)) this.#ephemeral.delete(node.id)
    else if (!this.#ephemeral.has(node.id)) {
      this.#ephemeral.set(node.id, now + (this.#options.ephemeralTimeout ?? EPHEMERAL_TIMEOUT))
    }
  }

  #forget(id: number): void {
    this.#expiries.delete(id)
    this.#ephemeral.delete(id)
    this.#presence.leave(id)
    this.#out.push({ kind: 'event', event: 'removed', node: id })
  }

  #flush(now: number): void {
    this.#flushAt = Infinity
    for (const [exchange, session] of this.#sessions) {
      const response = session.next(this.#views.viewFor(session.nodeId))
      if (response) this.#send(exchange, response, now)
    }
  }

  /** The client itself asked to go: its streams end and it is offline without grace. */
  #leave(id: number, now: number): void {
    for (const [exchange, session] of this.#sessions)
      if (session.nodeId === id) this.#endSession(exchange, now)
    this.#presence.leave(id)
    this.#out.push({ kind: 'event', event: 'logged-out', node: id })
    if (this.#network.node(id)) this.#network.updateNode(id, { lastSeen: this.#wall() })
  }

  #goOffline(id: number, now: number): void {
    if (!this.#network.node(id)) return
    this.#network.updateNode(id, { lastSeen: this.#wall() - OFFLINE_GRACE })
    this.#out.push({ kind: 'event', event: 'offline', node: id })
    this.#absorb(now)
  }

  #removeAbsent(id: number, now: number): void {
    const node = this.#network.node(id)
    if (node?.ephemeral && !this.#presence.isOnline(id)) this.#network.removeNode(id)
    else if (node) this.#watch(node, now)
  }

  #checkExpiry(id: number, now: number): void {
    const node = this.#network.node(id)
    if (node && isExpired(node, this.#wall())) this.#network.touch(id)
    else if (node) this.#watch(node, now)
  }

  /** A deleted node's client would ask for its map for ever; an expired key makes it ask its user to log in. */
  #sayFarewell(exchange: number, node: NodeRecord): void {
    const { self, controlTime } = this.#views.viewFor(node.id)
    const KeyExpiry = new Date(this.#wall() - 1000).toISOString()
    const response = { Node: { ...self, KeyExpiry, Expired: true }, ControlTime: controlTime }
    this.#out.push({ kind: 'map-response', exchange, response })
  }

  #statusOf(node: NodeRecord): NodeStatus {
    return {
      node,
      userName: node.user === undefined ? '' : (this.#network.user(node.user)?.name ?? ''),
      dnsName: `${node.givenName}.${this.#options.baseDomain}`,
      online: this.#presence.isOnline(node.id),
      expired: isExpired(node, this.#wall()),
      servedRoutes: this.#routes.routesOf(node.id).served,
    }
  }

  #wall(): number {
    return this.#options.wallClock()
  }
}
