// The coordinator as one machine. A shell gives each HTTP exchange a number and passes in who Noise says is asking;
// what to answer comes out of poll. A map request that follows the map stays open: its exchange becomes a session of the
// map streams. What a request changes is at first changed here alone: its owner fetches the writes, has them stored, and
// only then does what came out; or has everything taken back.

import type { Machine } from '@mesh/sansio'
import type { MapRequest, RegisterRequest, RegisterResponse } from '@mesh/wire/control'
import { MINIMUM_CAPABILITY_VERSION } from '@mesh/wire/control'
import { Accounts } from './accounts.ts'
import { Allowance } from './allowance.ts'
import { ApiKeys } from './api-keys.ts'
import type { Actor } from './audit.ts'
import { restoreBackup, writeBackup } from './backup.ts'
import { Challenges } from './certificates.ts'
import { requestedChange } from './claims.ts'
import { dialPlan } from './client-notices.ts'
import type { CoordinatorOutput } from './coordinator-output.ts'
import { NODE_NOT_FOUND } from './errors.ts'
import { LoginDecisions } from './login-decisions.ts'
import { MapStreams } from './map-streams.ts'
import { MapViews } from './map-views.ts'
import { Network } from './network.ts'
import { NodeDeadlines } from './node-deadlines.ts'
import { NodeQuestions } from './node-questions.ts'
import { NodeReports } from './node-reports.ts'
import { isExpired, isOnline } from './node-view.ts'
import { Nodes } from './nodes.ts'
import {
  addressPlanOf,
  AUDIT_RETENTION,
  checkOptions,
  dnsConfigOf,
  EPHEMERAL_TIMEOUT,
  keptNamesOf,
} from './options.ts'
import type { CoordinatorOptions } from './options.ts'
import type { PingOutcome } from './pings.ts'
import { placeOf } from './places.ts'
import { Policies } from './policies.ts'
import { Presence } from './presence.ts'
import type { LoginRecord, NodeRecord, SshCheckRecord } from './records.ts'
import { askAt, refusal, Registrar } from './registration.ts'
import { Reservations } from './reservations.ts'
import { RouteTable } from './routes.ts'
import { SshChecks } from './ssh-checks.ts'
import type { SshQuestion } from './ssh-checks.ts'
import type { News, Writes } from './store.ts'
import { followedLogin, WaitingLogins } from './waiting-logins.ts'
import { WallWatch } from './wall-watch.ts'

/** What the person at a machine reads when an administrator said no. */
const LOGIN_REFUSED = 'an administrator refused this login'
/** How many logins may begin a minute at one place: each is a record that is written, and pushes out another. */
const MAX_LOGINS_A_MINUTE = 256

/** Decides who is in the network and tells every node what it needs to know of the others. */
export class Coordinator implements Machine<CoordinatorOutput> {
  /**
   * Tells the connected nodes what changed. Its owner drives it like this machine, but not while writes are under way,
   * for what is not stored must not be told.
   */
  readonly streams: MapStreams
  /** The users, and the pre-auth keys made for them. */
  readonly accounts: Accounts
  /** The nodes, as an administrator sees and changes them. */
  readonly nodes: Nodes
  /** The logins that wait for a person. */
  readonly logins: LoginDecisions
  /** The policy in force. */
  readonly policies: Policies
  /** What nodes are asked. */
  readonly questions: NodeQuestions
  /** What machines say of their nodes. */
  readonly reports: NodeReports
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
  readonly #registrar: Registrar
  readonly #waiting: WaitingLogins
  readonly #presence: Presence
  readonly #deadlines: NodeDeadlines
  readonly #wallWatch: WallWatch
  readonly #routes = new RouteTable()
  readonly #newLogins = new Allowance<string>(MAX_LOGINS_A_MINUTE)
  readonly #out: CoordinatorOutput[] = []
  /** Exchanges that waited for a login which was forgotten: they are sent to a new page. */
  readonly #orphans: (readonly [exchange: number, login: LoginRecord])[] = []
  /** Entries of the audit log that are older are not kept; none is dropped while the clock may be wrong. */
  #keepSince = 0

  /** Throws {@link ControlError} `ERR_CONTROL_CONFIG` when the options cannot work. */
  constructor(options: CoordinatorOptions) {
    checkOptions(options)
    const { records, baseDomain, wallClock, random, hash, server, serverUrl } = options
    const { nodeKeyLifetime = 0, nodeApproval = false } = options
    const { derpMap, policy = { kind: 'allow-all' }, ephemeralTimeout = EPHEMERAL_TIMEOUT } = options
    const network = new Network(records, addressPlanOf(options), keptNamesOf(options))
    this.#options = options
    this.#network = network
    const absorb = (now: number): void => this.#absorb(now)
    const policies = new Policies({ network, fallback: policy, wallClock, absorb })
    this.policies = policies
    this.accounts = new Accounts(network, options, absorb)
    this.apiKeys = new ApiKeys(network, options)
    this.reservations = new Reservations(network, wallClock)
    const farewell = (id: number, now: number): void => this.streams.farewell(id, now)
    const nodes = new Nodes({ network, policies, baseDomain, wallClock, farewell, absorb })
    this.nodes = nodes
    this.challenges = new Challenges({ network, baseDomain, wallClock })
    this.reports = new NodeReports(network, nodes, this.challenges, absorb)
    this.#waiting = new WaitingLogins(network, random, wallClock)
    const registrar = new Registrar({
      network,
      policies,
      baseDomain,
      wallClock,
      random,
      hash,
      nodeKeyLifetime,
      nodeApproval,
    })
    this.#registrar = registrar
    const onRegistered = (nodeKey: string): void => this.#noteRegistered(nodeKey)
    const { accounts } = this
    this.logins = new LoginDecisions({ network, accounts, nodes, registrar, onRegistered, absorb })
    const plan = dialPlan(options.dialAddresses)
    const views = new MapViews({
      network,
      policies,
      derpMap,
      dnsConfig: dnsConfigOf(options),
      baseDomain,
      wallClock,
      certificates: options.certificates ?? false,
      ...(plan ? { dialPlan: plan } : {}),
      ...(options.clientRelease ? { clientRelease: options.clientRelease } : {}),
    })
    const onSilent = (node: number, now: number): void => this.#presence.left(node, now)
    const streams = new MapStreams({ network, views, random, onSilent })
    this.streams = streams
    const listens = (node: number): boolean => streams.listens(node)
    this.sshChecks = new SshChecks({
      network,
      policyOf: (node) => views.policyOf(node),
      serverUrl,
      random,
      wallClock,
    })
    const presence = new Presence({ server, listens, wallClock, ephemeralTimeout })
    this.#presence = presence
    const onOffline = (node: number): void => {
      this.#out.push({ kind: 'event', event: 'offline', node })
    }
    this.#deadlines = new NodeDeadlines({ network, streams, presence, server, wallClock, onOffline })
    const onOutcome = (outcome: PingOutcome): void => {
      this.#out.push({ kind: 'pong', ...outcome })
    }
    this.questions = new NodeQuestions({ network, nodes, streams, presence, random, serverUrl, onOutcome })
    this.#wallWatch = new WallWatch(wallClock(), options.now)
    presence.setServers(options.servers ?? [])
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
    const entries = writes ? state.audit(this.#wall()) : []
    if (!writes || entries.length === 0) return writes
    return { ...writes, audit: { entries, keepSince: this.#keepSince } }
  }

  /** Names in the audit log who acts from here on; the server itself when left out. */
  actAs(actor?: Actor): void {
    this.#network.state.actAs(actor)
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
    if (mark === undefined) this.questions.doubt()
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

  /**
   * Takes a register request from the machine that Noise proved. Answered by `register-response`, maybe much later.
   *
   * @param address - Where it came from; this machine when left out.
   */
  handleRegister(
    exchange: number,
    machineKey: string,
    request: RegisterRequest,
    now: number,
    address = '::1',
  ): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const followed = followedLogin(request.Followup)
    if (followed !== undefined && this.#waiting.isFor(followed, machineKey, request.NodeKey)) {
      if (this.#network.login(followed)?.refused) return this.#answer(exchange, refusal(LOGIN_REFUSED))
      const displaced = this.#waiting.wait(followed, exchange)
      if (displaced !== undefined) this.#answer(displaced, refusal('another request took over this login'))
      return
    }
    const before = this.#network.nodeByKey(request.NodeKey)
    this.#actAsMachine(machineKey)
    const decision = this.#registrar.decide(machineKey, request)
    if (decision.kind === 'ask') this.#askFrom(exchange, machineKey, request, placeOf(address), now)
    else this.#answer(exchange, decision.response)
    if (decision.kind === 'answer' && decision.loggedOut !== undefined) this.#leave(decision.loggedOut, now)
    else if (!before) this.#noteRegistered(request.NodeKey)
    this.#absorb(now)
  }

  /** Takes a map request from the machine that Noise proved: a session, an update of its node, or one snapshot. */
  handleMap(exchange: number, machineKey: string, request: MapRequest, now: number): void {
    if (!this.#speaksOurVersion(exchange, request.Version)) return
    const node = this.nodes.ofMachine(machineKey, request.NodeKey)
    if (!node) {
      this.#out.push({ kind: 'refuse', exchange, status: 404, text: NODE_NOT_FOUND })
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
      this.#out.push({ kind: 'refuse', exchange, status: 404, text: NODE_NOT_FOUND })
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
    this.#waiting.leave(exchange)
    this.sshChecks.leave(exchange)
    this.streams.close(exchange, now)
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

  /** Does what is due at `now`. */
  handleTimeout(now: number): void {
    this.actAs()
    if (now >= this.#wallWatch.next()) this.#lookAtWall(now)
    this.#deadlines.handleTimeout(now)
    this.#waiting.forgetOld(now)
    this.sshChecks.handleTimeout(now)
    this.#look(now)
    for (const [exchange, login] of this.#orphans.splice(0)) this.#ask(exchange, login)
    this.questions.handleTimeout(now)
    this.#absorb(now)
  }

  /** Returns the next thing to do, or `undefined` when there is nothing left. */
  poll(): CoordinatorOutput | undefined {
    return this.#out.shift() ?? this.streams.poll()
  }

  /** Returns when to call {@link Coordinator.handleTimeout}; it may be early. */
  pollTimeout(): number {
    if (this.#orphans.length > 0) return -Infinity
    const { sshChecks, questions } = this
    const parts = [this.#presence, this.#waiting, sshChecks, questions, this.#wallWatch]
    return Math.min(...parts.map((part) => part.next()))
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

  #askFrom(
    exchange: number,
    machineKey: string,
    request: RegisterRequest,
    place: string | undefined,
    now: number,
  ): void {
    if (place === undefined || this.#newLogins.allow(place, now))
      return this.#ask(exchange, { machineKey, request, place })
    const text = 'too many logins begin at your address: try again in a minute'
    // Clients ask again every few seconds where nothing is said (control §3.1).
    const retryAfter = Math.ceil(this.#newLogins.renewsIn(now) / 1000)
    this.#out.push({ kind: 'refuse', exchange, status: 429, text, retryAfter })
  }

  #ask(
    exchange: number,
    {
      machineKey,
      request,
      place,
    }: Pick<LoginRecord, 'machineKey' | 'request'> & { place?: string | undefined },
  ): void {
    const { key } = this.#waiting.ask(machineKey, request, place)
    this.#answer(exchange, askAt(`${this.#options.serverUrl}/register/${key}`))
  }

  #noteRegistered(nodeKey: string): void {
    const node = this.#network.nodeByKey(nodeKey)
    if (!node) return
    this.policies.approveRoutes(node)
    this.#out.push({ kind: 'event', event: 'registered', node: node.id })
  }

  #update(node: NodeRecord, request: MapRequest): void {
    const change = requestedChange(node, request)
    if (!change) return
    const changed = this.#network.updateNode(node.id, change)
    if (change.hostinfo) this.policies.approveRoutes(changed)
  }

  #openSession(exchange: number, id: number, now: number): void {
    const node = this.nodes.known(id)
    const { server } = this.#options
    if (!isOnline(node)) this.#out.push({ kind: 'event', event: 'online', node: id })
    if (node.connectedTo !== server || node.silent)
      this.#network.updateNode(id, { connectedTo: server, lastSeen: this.#wall(), silent: false })
    this.streams.begin(exchange, id, node.nodeKey, now)
    this.#absorb(now)
    this.#presence.look(this.nodes.known(id), now)
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
      this.questions.watch(this.#routes.contenders(), now)
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
    for (const [exchange, login, isOver] of this.#waiting.look(key, now)) {
      const response = this.#registrar.outcome(login.machineKey, login.request)
      if (this.#network.login(key)?.refused) this.#answer(exchange, refusal(LOGIN_REFUSED))
      else if (response) this.#answer(exchange, response)
      else if (isOver) this.#orphans.push([exchange, login])
      else this.#answer(exchange, refusal('too many logins are waiting'))
    }
  }

  /** When the clock was set, whose login has ended is another question than before. */
  #lookAtWall(now: number): void {
    const { auditRetention = AUDIT_RETENTION } = this.#options
    const wall = this.#wall()
    if (this.#wallWatch.look(wall, now))
      for (const { id, expiresAt } of this.#network.nodes())
        if (expiresAt !== undefined) this.#network.touch(id)
    this.#keepSince = this.#wallWatch.isSettled(now) ? wall - auditRetention : 0
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

  #wall(): number {
    return this.#options.wallClock()
  }
}
