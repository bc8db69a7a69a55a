// The coordinator as one machine. A shell gives each HTTP exchange a number and passes in who Noise says is asking;
// what to answer comes out of poll. A map request that follows the map stays open: its exchange becomes a session of the
// map streams. What a request changes is at first changed here alone: its owner fetches the writes, has them stored, and
// only then does what came out; or has everything taken back.

import type { Machine } from '@mesh/sansio'
import type { MapRequest, RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { isZeroKey, KEEP_ALIVE_RESPONSE, MINIMUM_CAPABILITY_VERSION } from '@mesh/wire/control'
import { Accounts } from './accounts.ts'
import { ApiKeys } from './api-keys.ts'
import type { Actor } from './audit.ts'
import { nodeSubject } from './audit.ts'
import type { ClientCall } from './client-call.ts'
import type { MadePreAuthKey, NewPreAuthKey, NewUser, NodeChoice, NodeStatus } from './admin.ts'
import { restoreBackup, writeBackup } from './backup.ts'
import { Challenges } from './certificates.ts'
import type { TxtRecord } from './certificates.ts'
import { reportedChange } from './claims.ts'
import { dialPlan } from './client-notices.ts'
import type { CoordinatorOutput } from './coordinator-output.ts'
import { updateAttributes } from './device-attributes.ts'
import { ControlError, shown } from './errors.ts'
import { MapStreams } from './map-streams.ts'
import { MapViews } from './map-views.ts'
import { Network } from './network.ts'
import type { NodeChange } from './network.ts'
import { NodeChanges } from './node-changes.ts'
import { isExpired, isOnline } from './node-view.ts'
import { addressPlanOf, AUDIT_RETENTION, checkOptions, dnsConfigOf, EPHEMERAL_TIMEOUT } from './options.ts'
import type { CoordinatorOptions } from './options.ts'
import { Pings } from './pings.ts'
import type { PingKind, PingOutcome, PingQuestion } from './pings.ts'
import { Policies } from './policies.ts'
import { Presence } from './presence.ts'
import type {
  LoginRecord,
  NodeRecord,
  PolicyRecord,
  PreAuthKeyRecord,
  SshCheckRecord,
  UserRecord,
} from './records.ts'
import { askAt, refusal, Registrar } from './registration.ts'
import { Reservations } from './reservations.ts'
import { RouterProbes } from './router-probes.ts'
import { routesOf, RouteTable } from './routes.ts'
import { SshChecks } from './ssh-checks.ts'
import type { SshQuestion } from './ssh-checks.ts'
import type { News, Writes } from './store.ts'
import { followedLogin, isOld, WaitingLogins } from './waiting-logins.ts'

/** What the person at a machine reads when an administrator said no. */
const LOGIN_REFUSED = 'an administrator refused this login'

/** Decides who is in the network and tells every node what it needs to know of the others. */
export class Coordinator implements Machine<CoordinatorOutput> {
  /**
   * Tells the connected nodes what changed. Its owner drives it like this machine, but not while writes are under way,
   * for what is not stored must not be told.
   */
  readonly streams: MapStreams
  /** The texts that nodes publish to get certificates. */
  readonly challenges: Challenges
  /** The keys by which administrators' programs work from elsewhere. */
  readonly apiKeys: ApiKeys
  /** The SSH logins that a person has to confirm. */
  readonly sshChecks: SshChecks
  /** The addresses that are kept for nodes. */
  readonly reservations: Reservations
  readonly #options: CoordinatorOptions
  readonly #network: Network
  readonly #accounts: Accounts
  readonly #changes: NodeChanges
  readonly #registrar: Registrar
  readonly #logins: WaitingLogins
  readonly #pings: Pings
  readonly #presence: Presence
  readonly #policies: Policies
  readonly #routes = new RouteTable()
  readonly #probes = new RouterProbes()
  readonly #out: CoordinatorOutput[] = []
  /** Exchanges that waited for a login which was forgotten: they are sent to a new page. */
  readonly #orphans: (readonly [exchange: number, login: LoginRecord])[] = []

  /** Throws {@link ControlError} `ERR_CONTROL_CONFIG` when the options cannot work. */
  constructor(options: CoordinatorOptions) {
    checkOptions(options)
    const { records, baseDomain, wallClock, random, hash, server, nodeKeyLifetime = 0 } = options
    const { derpMap, policy = { kind: 'allow-all' }, ephemeralTimeout = EPHEMERAL_TIMEOUT } = options
    const network = new Network(records, addressPlanOf(options))
    this.#options = options
    this.#network = network
    this.#accounts = new Accounts(network, options)
    this.apiKeys = new ApiKeys(network, options)
    this.reservations = new Reservations(network, wallClock)
    this.#changes = new NodeChanges(network)
    this.challenges = new Challenges({ network, baseDomain, wallClock })
    this.#pings = new Pings(random, options.serverUrl)
    this.#logins = new WaitingLogins(network, random, wallClock)
    const dnsConfig = dnsConfigOf(options)
    const policies = new Policies(network, policy)
    this.#policies = policies
    const { nodeApproval = false } = options
    const registrar = {
      network,
      policies,
      baseDomain,
      wallClock,
      random,
      hash,
      nodeKeyLifetime,
      nodeApproval,
    }
    this.#registrar = new Registrar(registrar)
    const plan = dialPlan(options.dialAddresses)
    const views = new MapViews({
      network,
      policies,
      derpMap,
      dnsConfig,
      baseDomain,
      wallClock,
      certificates: options.certificates ?? false,
      ...(plan ? { dialPlan: plan } : {}),
      ...(options.clientRelease ? { clientRelease: options.clientRelease } : {}),
    })
    const onSilent = (node: number, now: number): void => this.#presence.left(node, now)
    this.streams = new MapStreams({ network, views, random, onSilent })
    const listens = (node: number): boolean => this.streams.listens(node)
    this.sshChecks = new SshChecks({
      network,
      policyOf: (node) => views.policyOf(node),
      serverUrl: options.serverUrl,
      random,
      wallClock,
    })
    this.#presence = new Presence({ server, listens, wallClock, ephemeralTimeout })
    this.#presence.setServers(options.servers ?? [])
    this.#look(options.now)
  }

  /** The version of the records it stands on, not counting {@link Coordinator.writes}. */
  get version(): number {
    return this.#network.state.version
  }

  /** Returns what it changed and what is not stored yet, or `undefined` when there is nothing. */
  writes(): Writes | undefined {
    const { state } = this.#network
    const writes = state.writes()
    const wall = this.#wall()
    const entries = writes ? state.audit(wall) : []
    if (!writes || entries.length === 0) return writes
    const { auditRetention = AUDIT_RETENTION } = this.#options
    return { ...writes, audit: { entries, keepSince: wall - auditRetention } }
  }

  /** Names in the audit log who acts from here on; the server itself when left out. */
  actAs(actor?: Actor): void {
    this.#network.state.actAs(actor)
  }

  /** Adds to the audit log what a client wants noted about its node. */
  noteReport(nodeId: number, report: Readonly<Record<string, string>>): void {
    const node = this.#changes.known(nodeId)
    this.actAs({ kind: 'node', name: node.givenName })
    this.#network.state.note({ action: 'report', subject: nodeSubject(node), after: report })
  }

  /** Publishes a text of a node in the DNS. Throws {@link ControlError}. */
  publishChallenge(nodeId: number, name: string, value: string): TxtRecord {
    const node = this.#changes.known(nodeId)
    this.actAs({ kind: 'node', name: node.givenName })
    return this.challenges.publish(node, name, value)
  }

  /** Takes what a machine says of its device. Throws {@link ControlError}. */
  updateAttributes(nodeId: number, update: unknown): void {
    const node = this.#changes.known(nodeId)
    this.actAs({ kind: 'node', name: node.givenName })
    this.#network.updateNode(nodeId, { attributes: updateAttributes(node.attributes ?? {}, update) })
  }

  /** Adds to the audit log that somebody asked a node's client for something. */
  noteCall(nodeId: number, { method = 'GET', path }: ClientCall, actor: Actor): void {
    const node = this.#changes.known(nodeId)
    this.actAs(actor)
    this.#network.state.note({ action: 'call', subject: nodeSubject(node), after: { method, path } })
  }

  /** Notes that what it changed is stored. */
  confirm(version: number): void {
    this.#network.state.confirm(version)
  }

  /** Returns a mark for {@link Coordinator.undo}. */
  mark(): number {
    return this.#network.state.mark()
  }

  /** Takes back what it changed since a mark, or all that is not stored. What came out since must not be done. */
  undo(now: number, mark?: number): void {
    this.#network.state.undo(mark)
    // One command that was refused says nothing of the others, or a node could keep silence from being found.
    if (mark === undefined) this.#probes.doubt()
    this.#look(now)
  }

  /** Doubts everything it knows, so that the next news will be the whole. */
  distrust(): void {
    this.#network.state.distrust()
  }

  /** Takes what others changed. Nothing of its own may be waiting to be stored. */
  takeNews(news: News, now: number): void {
    this.#network.state.take(news)
    this.#look(now)
  }

  /** Takes which servers are alive; the nodes of one that is gone have a while to connect to another. */
  handleServers(servers: Iterable<string>, now: number): void {
    this.#presence.setServers(servers)
    for (const node of this.#network.nodes()) this.#presence.look(node, now)
  }

  /** Takes a register request from the machine that Noise proved. Answered by `register-response`, maybe much later. */
  handleRegister(exchange: number, machineKey: string, request: RegisterRequest, now: number): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const followed = followedLogin(request.Followup)
    if (followed !== undefined && this.#logins.isFor(followed, machineKey, request.NodeKey)) {
      if (this.#network.login(followed)?.refused) return this.#answer(exchange, refusal(LOGIN_REFUSED))
      const displaced = this.#logins.wait(followed, exchange)
      if (displaced !== undefined) this.#answer(displaced, refusal('another request took over this login'))
      return
    }
    const before = this.#network.nodeByKey(request.NodeKey)
    this.#actAsMachine(machineKey)
    const decision = this.#registrar.decide(machineKey, request)
    if (decision.kind === 'ask') this.#ask(exchange, machineKey, request)
    else this.#answer(exchange, decision.response)
    if (decision.kind === 'answer' && decision.loggedOut !== undefined) this.#leave(decision.loggedOut, now)
    else if (!before) this.#noteRegistered(request.NodeKey)
    this.#absorb(now)
  }

  /** Takes a map request from the machine that Noise proved: a session, an update of its node, or one snapshot. */
  handleMap(exchange: number, machineKey: string, request: MapRequest, now: number): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const node = this.nodeOf(machineKey, request.NodeKey)
    if (!node) {
      this.#out.push({ kind: 'refuse', exchange, status: 404, text: 'node not found' })
      return
    }
    this.actAs({ kind: 'node', name: node.givenName })
    this.#update(node, request)
    this.#absorb(now)
    if (request.Stream) this.#openSession(exchange, node.id, now)
    else if (request.OmitPeers) this.#out.push({ kind: 'taken', exchange })
    else this.streams.beginOnce(exchange, node.id, node.nodeKey)
  }

  /**
   * Takes what the SSH server of a machine asks about somebody who logs in there. Answered by `ssh-action`, maybe much later;
   * only to the machine of the node in question.
   */
  handleSshQuestion(exchange: number, machineKey: string, question: SshQuestion, now: number): void {
    const node = this.#network.node(question.to)
    if (node?.machineKey !== machineKey || isExpired(node, this.#wall())) {
      this.#out.push({ kind: 'refuse', exchange, status: 404, text: 'node not found' })
      return
    }
    const action = this.sshChecks.ask(exchange, question, now)
    if (action) this.#out.push({ kind: 'ssh-action', exchange, action })
    this.#look(now)
  }

  /** Confirms or refuses an SSH login that waits; whoever waits for it hears at once. Throws {@link ControlError}. */
  decideSsh(key: string, isAllowed: boolean, now: number): SshCheckRecord {
    const check = isAllowed ? this.sshChecks.approve(key) : this.sshChecks.reject(key)
    this.#look(now)
    return check
  }

  /** Takes the end of an exchange from its client: a stream closed, a held request given up. Changes no record. */
  handleGone(exchange: number, now: number): void {
    this.#logins.leave(exchange)
    this.sshChecks.leave(exchange)
    this.streams.close(exchange, now)
  }

  /** Lets in a node that waits for a person, with what is chosen for it; its client hears at once. */
  approve(key: string, userName: string, now: number, choice: NodeChoice = {}): NodeRecord {
    const user = this.#accounts.userNamed(userName)
    const login = this.#waiting(key)
    const { machineKey, request } = login
    this.#changes.checkChoice(choice, machineKey)
    const response = this.#registrar.approve(machineKey, request, user)
    this.#network.state.remove('logins', login.id)
    this.#noteRegistered(request.NodeKey)
    const made = this.nodeOf(machineKey, request.NodeKey)
    if (made) this.#changes.choose(made.id, choice)
    this.#absorb(now)
    const node = this.nodeOf(machineKey, request.NodeKey)
    if (node && response.MachineAuthorized) return node
    throw new ControlError(
      'ERR_CONTROL_REGISTRATION_UNKNOWN',
      response.Error || 'The machine has to log in again.',
    )
  }

  /** Returns the login that waits under this key. */
  waitingLogin(key: string): LoginRecord | undefined {
    const login = this.#network.login(key)
    return login?.refused ? undefined : login
  }

  /** Returns all logins that wait, the one that asked longest ago first. */
  waitingLogins(): readonly LoginRecord[] {
    return [...this.#network.logins()].filter((login) => !login.refused)
  }

  /** Says no to a login that waits; its client hears at once. */
  refuseLogin(key: string, now: number): LoginRecord {
    const login = { ...this.#waiting(key), refused: true }
    this.#network.state.put('logins', login)
    this.#absorb(now)
    return login
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
    return node !== undefined && node.approved && !isExpired(node, this.#wall())
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
    return this.#network.preAuthKeys()
  }

  /** Makes a pre-auth key expire now, given its number, its prefix or its whole text. */
  expirePreAuthKey(which: string): PreAuthKeyRecord {
    return this.#accounts.expirePreAuthKey(which)
  }

  /** Removes a pre-auth key, named likewise; nodes that came in with it stay. */
  deletePreAuthKey(which: string): PreAuthKeyRecord {
    return this.#accounts.deletePreAuthKey(which)
  }

  /** Returns everything that is remembered, as text for {@link Coordinator.restore}. */
  backup(): string {
    return writeBackup(this.#network.state)
  }

  /** Puts a backup in the place of everything; connected nodes hear of it. Throws {@link ControlError} when it is none. */
  restore(backup: string, now: number): void {
    restoreBackup(this.#network.state, backup)
    this.#absorb(now)
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
    this.streams.farewell(id, now)
    this.#network.removeNode(node.id)
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

  /** Lets a node take part that waited for somebody's approval. */
  approveNode(id: number, now: number): void {
    this.#changes.approve(id)
    this.#approveByPolicy(this.#changes.known(id))
    this.#absorb(now)
  }

  /** Gives a node another address. */
  readdressNode(id: number, address: string, now: number): void {
    this.#changes.readdress(id, address)
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

  /** Returns the policy in force, as it was written; `undefined` when none was. */
  policy(): PolicyRecord | undefined {
    return this.#network.policy()
  }

  /** Throws {@link ControlError} `ERR_CONTROL_POLICY` when a policy could not be put in force. Changes nothing. */
  checkPolicy(text: string): void {
    this.#policies.check(text)
  }

  /** Puts a policy in force. Throws {@link ControlError} `ERR_CONTROL_POLICY`; then the one before stays. */
  setPolicy(text: string, now: number): PolicyRecord {
    this.#policies.check(text)
    const record = this.#network.addPolicy({ text, createdAt: this.#wall() })
    for (const node of this.#network.nodes()) this.#approveByPolicy(node)
    this.#absorb(now)
    return record
  }

  /** Asks a node whether it is there. Returns the id under which a `pong` tells how that ended. */
  ping(id: number, question: PingQuestion, now: number): string {
    const node = this.#changes.known(id)
    if (!this.streams.listens(id)) throw new ControlError('ERR_CONTROL_NODE_OFFLINE', this.#whyNot(node))
    const asked = this.#pings.ask(node.machineKey, question, now)
    this.streams.say(id, { PingRequest: asked.request }, now)
    return asked.id
  }

  /** Takes an answer to a ping. Returns false when nobody waits for it, or it is another machine's to give. */
  handlePong(
    id: string,
    kind: PingKind,
    machineKey: string | undefined,
    now: number,
    answer?: Uint8Array,
  ): boolean {
    const outcome = this.#pings.answer(id, kind, machineKey, now, answer)
    if (outcome) this.#tellPong(outcome, now)
    return outcome !== undefined
  }

  /** Does what is due at `now`. */
  handleTimeout(now: number): void {
    this.actAs()
    const { away, back, absent, expiring } = this.#presence.due(now)
    for (const [id, grace] of away) this.#goOffline(id, grace)
    for (const id of back) this.#comeBack(id)
    for (const id of absent) this.#removeAbsent(id, now)
    for (const id of expiring) this.#checkExpiry(id, now)
    this.#logins.forgetOld(now)
    this.sshChecks.handleTimeout(now)
    this.#look(now)
    for (const [exchange, { machineKey, request }] of this.#orphans.splice(0))
      this.#ask(exchange, machineKey, request)
    for (const outcome of this.#pings.due(now)) this.#tellPong(outcome, now)
    this.#probeRouters(now)
    this.#absorb(now)
  }

  /** Returns the next thing to do, or `undefined` when there is nothing left. */
  poll(): CoordinatorOutput | undefined {
    return this.#out.shift() ?? this.streams.poll()
  }

  /** Returns when to call {@link Coordinator.handleTimeout}; it may be early. */
  pollTimeout(): number {
    if (this.#orphans.length > 0) return -Infinity
    return Math.min(
      this.#presence.next(),
      this.#logins.next(),
      this.sshChecks.next(),
      this.#pings.next(),
      this.#probes.next(),
    )
  }

  #tellPong(outcome: PingOutcome, now: number): void {
    if (this.#probes.take(outcome.id, outcome.roundTrip !== undefined, now)) return
    this.#out.push({ kind: 'pong', ...outcome })
  }

  /** Each router is asked by the server that it is connected to; what comes of it is in the records, for all of them. */
  #probeRouters(now: number): void {
    for (const [id, silent] of this.#probes.takeNews())
      if (this.#network.node(id) && this.#network.node(id)?.silent !== silent)
        this.#network.updateNode(id, { silent })
    for (const id of this.#probes.due(now)) {
      const node = this.#network.node(id)
      if (!node || !this.streams.listens(id)) continue
      const { id: question, request } = this.#pings.ask(node.machineKey, { kind: 'c2n' }, now)
      this.#probes.asked(id, question)
      // As a keep-alive, which makes no client work out its map anew.
      this.streams.say(id, { ...KEEP_ALIVE_RESPONSE, PingRequest: request }, now)
    }
  }

  #speaksOurVersion(exchange: number, version: number): boolean {
    if (version >= MINIMUM_CAPABILITY_VERSION) return true
    const text = `unsupported client version ${version}: this server needs ${MINIMUM_CAPABILITY_VERSION} or later`
    this.#out.push({ kind: 'refuse', exchange, status: 400, text })
    return false
  }

  #actAsMachine(machineKey: string): void {
    const [node] = this.#network.nodesOfMachine(machineKey)
    this.actAs({ kind: 'node', name: node?.givenName ?? machineKey })
  }

  #answer(exchange: number, response: RegisterResponse): void {
    this.#out.push({ kind: 'register-response', exchange, response })
  }

  #ask(exchange: number, machineKey: string, request: RegisterRequest): void {
    const { key } = this.#logins.ask(machineKey, request)
    this.#answer(exchange, askAt(`${this.#options.serverUrl}/register/${key}`))
  }

  #noteRegistered(nodeKey: string): void {
    const node = this.#network.nodeByKey(nodeKey)
    if (!node) return
    this.#approveByPolicy(node)
    this.#out.push({ kind: 'event', event: 'registered', node: node.id })
  }

  /**
   * Takes what a request says of its node. Only an update reports; a stream, or one who wants a snapshot, says nothing new
   * but a first disco key (control §3.2).
   */
  #update(node: NodeRecord, request: MapRequest): void {
    const discoKey = isZeroKey(request.DiscoKey) ? '' : (request.DiscoKey ?? '')
    const change: { -readonly [K in keyof NodeChange]: NodeChange[K] } = {}
    const reports = request.OmitPeers === true && request.Stream !== true
    if (discoKey !== '' && discoKey !== node.discoKey && (reports || node.discoKey === '')) {
      change.discoKey = discoKey
    }
    if (request.Version !== node.capVersion) change.capVersion = request.Version
    if (reports) Object.assign(change, reportedChange(node, request))
    if (Object.keys(change).length === 0) return
    const changed = this.#network.updateNode(node.id, change)
    if (change.hostinfo) this.#approveByPolicy(changed)
  }

  /** What was approved once stays approved, whatever a later policy says: it may be an administrator's word. */
  #approveByPolicy(node: NodeRecord): void {
    const approvedRoutes = this.#policies.approvedRoutes(node)
    if (approvedRoutes) this.#network.updateNode(node.id, { approvedRoutes })
  }

  #openSession(exchange: number, id: number, now: number): void {
    const node = this.#changes.known(id)
    const { server } = this.#options
    if (!isOnline(node)) this.#out.push({ kind: 'event', event: 'online', node: id })
    if (node.connectedTo !== server || node.silent)
      this.#network.updateNode(id, { connectedTo: server, lastSeen: this.#wall(), silent: false })
    this.streams.begin(exchange, id, node.nodeKey, now)
    this.#absorb(now)
    this.#presence.look(this.#changes.known(id), now)
  }

  /** Elects routers, then looks at what changed. Both may change more. */
  #absorb(now: number): void {
    this.#look(now)
    const elected = this.#routes.elect()
    if (elected.size === 0) return
    for (const [id, primaryRoutes] of elected) this.#network.updateNode(id, { primaryRoutes })
    this.#look(now)
  }

  /** Looks at what changed, whoever changed it: whose deadlines, whose maps, whose waiting. */
  #look(now: number): void {
    const changed = this.#network.takeChangedNodes()
    const wall = this.#wall()
    for (const id of changed) {
      const node = this.#network.node(id)
      this.#routes.update(
        id,
        node,
        node !== undefined && isOnline(node) && node.approved && !isExpired(node, wall),
      )
      if (node) this.#presence.look(node, now)
      else this.#forget(id)
    }
    if (changed.size > 0) {
      this.#probes.watch(this.#routes.contenders(), now)
      this.streams.noteChanged(changed, now)
    }
    for (const key of this.#network.takeChangedLogins()) this.#lookAtLogin(key, now)
    for (const [exchange, action] of this.sshChecks.settled())
      this.#out.push({ kind: 'ssh-action', exchange, action })
  }

  /**
   * Whoever waits for a login hears when it is decided, here or at another server. When its time is over they are sent to
   * a new page; when it had to make room they are not, for that would push out the next.
   */
  #lookAtLogin(key: string, now: number): void {
    for (const [exchange, login] of this.#logins.look(key, now)) {
      const response = this.#registrar.outcome(login.machineKey, login.request)
      if (this.#network.login(key)?.refused) this.#answer(exchange, refusal(LOGIN_REFUSED))
      else if (response) this.#answer(exchange, response)
      else if (!isOld(login, this.#wall())) this.#answer(exchange, refusal('too many logins are waiting'))
      else this.#orphans.push([exchange, login])
    }
  }

  #waiting(key: string): LoginRecord {
    const login = this.waitingLogin(key)
    if (login) return login
    const message = `No login waits under ${shown(key)}: it may have expired, start it again on the machine.`
    throw new ControlError('ERR_CONTROL_REGISTRATION_UNKNOWN', message)
  }

  #forget(id: number): void {
    this.#presence.forget(id)
    this.#out.push({ kind: 'event', event: 'removed', node: id })
  }

  /** The client itself asked to go: its streams end and it is offline without grace. */
  #leave(id: number, now: number): void {
    this.streams.endNode(id, now)
    this.#out.push({ kind: 'event', event: 'logged-out', node: id })
    if (this.#network.node(id))
      this.#network.updateNode(id, { connectedTo: undefined, lastSeen: this.#wall() })
  }

  #goOffline(id: number, grace: number): void {
    const node = this.#network.node(id)
    if (!node || !isOnline(node) || this.#presence.isElsewhere(node) || this.streams.listens(id)) return
    this.#network.updateNode(id, { connectedTo: undefined, lastSeen: this.#wall() - grace })
    this.#out.push({ kind: 'event', event: 'offline', node: id })
  }

  /** Another server, to which it was connected too, said that it is offline. */
  #comeBack(id: number): void {
    const node = this.#network.node(id)
    if (!node || isOnline(node) || !this.streams.listens(id)) return
    this.#network.updateNode(id, { connectedTo: this.#options.server })
  }

  #removeAbsent(id: number, now: number): void {
    const node = this.#network.node(id)
    if (node?.ephemeral && !isOnline(node)) this.#network.removeNode(id)
    else if (node) this.#presence.look(node, now)
  }

  #checkExpiry(id: number, now: number): void {
    const node = this.#network.node(id)
    if (node && this.#presence.isAtHand(node)) this.#network.touch(id)
    if (node) this.#presence.look(node, now)
  }

  #whyNot(node: NodeRecord): string {
    return this.#presence.isElsewhere(node)
      ? `Node ${node.givenName} is connected to another server, ${node.connectedTo}: ask there.`
      : `Node ${node.givenName} is not connected.`
  }

  #statusOf(node: NodeRecord): NodeStatus {
    return {
      node,
      userName: this.#network.user(node.user)?.name ?? '',
      dnsName: `${node.givenName}.${this.#options.baseDomain}`,
      online: isOnline(node),
      expired: isExpired(node, this.#wall()),
      servedRoutes: routesOf(node).served,
    }
  }

  #wall(): number {
    return this.#options.wallClock()
  }
}
