// A node's side of the control protocol as one machine: connect, log in, follow the map, tell what changes here,
// and do it all again when the connection ends. It owns no socket: it asks its shell to connect and to send
// requests, and takes what comes back.
//
//     waiting ──▶ connecting ──▶ registering ──▶ following      a new node key is kept before control hears of it
//        ▲            │               │              │
//        └────────────┴───────────────┴──────────────┘   trouble: back off, then again
import type { Machine } from '@mesh/sansio'
import {
  CAPABILITY_VERSION,
  decodeJson,
  decodeRegisterResponse,
  encodeJson,
  type MapResponse,
} from '@mesh/wire/control'
import type { NetworkMap } from '@mesh/netmap'
import { Backoff } from './backoff.ts'
import {
  CONNECT_TIMEOUT,
  type ControlClientOptions,
  REQUEST_TIMEOUT,
  STEADY_AFTER,
} from './client-options.ts'
import { Courtesies, type Courtesy } from './courtesies.ts'
import { ControlError, isFinal } from './errors.ts'
import { Login, type LoginStep } from './login.ts'
import { MapKeeper } from './map-keeper.ts'
import { MapSession } from './map-session.ts'
import type { ControlOutput } from './output.ts'
import { type ControlQuestion, questionAnswer, questionRequest } from './question.ts'
import { type Report, Reporter } from './reporter.ts'
import { isUnknownNode, type Purpose, refusal, RequestTable } from './request-table.ts'

type Phase = 'idle' | 'connecting' | 'registering' | 'keeping' | 'following' | 'waiting' | 'stopped'

interface Answer {
  readonly status: number
  readonly body: Uint8Array
}

/** Logs a node in and follows its map; see the head of this file for its states. */
export class ControlClient implements Machine<ControlOutput> {
  readonly #options: ControlClientOptions
  readonly #version: number
  readonly #out: ControlOutput[] = []
  readonly #login: Login
  readonly #reporter: Reporter
  readonly #keeper: MapKeeper
  readonly #backoff: Backoff
  readonly #requests = new RequestTable(this.#out)
  readonly #courtesies: Courtesies
  #phase: Phase = 'idle'
  #connected = false
  #registered = false
  #followingSince: number | undefined
  #leaving = false
  #session: MapSession | undefined
  #sessionRequest = 0
  #deadline = Infinity
  #expiryAt = Infinity

  constructor(options: ControlClientOptions) {
    this.#options = options
    this.#version = options.version ?? CAPABILITY_VERSION
    this.#login = new Login({ ...options, version: this.#version, allowHttp: options.allowHttp ?? false })
    this.#courtesies = new Courtesies(options.allowHttp ?? false, options.answerCall)
    this.#reporter = new Reporter(options.hostinfo, options.discoKey, options.random)
    this.#keeper = new MapKeeper(options.wallNow)
    this.#backoff = new Backoff(options.random)
  }

  /** The last map, if there was any; it stays while control is away. */
  get map(): NetworkMap | undefined {
    return this.#keeper.map
  }

  /** The node's private key in use. */
  get nodeKey(): Uint8Array {
    return this.#login.nodeKey
  }

  /** Whether the client has come to an end and does nothing more. */
  get stopped(): boolean {
    return this.#phase === 'stopped'
  }

  /** Begins. */
  start(now: number): void {
    if (this.#phase === 'idle') this.#connect(now)
  }

  /** Takes what changed about the node; it reaches control at once, or after the next connect. */
  report(report: Report, now: number): void {
    this.#reporter.update(report)
    this.#sendReport(now)
  }

  /** Tries again now instead of waiting: the network came back. */
  hurry(now: number): void {
    if (this.#phase === 'waiting') this.#resume(now)
  }

  /**
   * Asks control something small. Returns the number of the question, under which an `answer` follows; or nothing when the
   * node is not logged in and connected, and so cannot ask.
   */
  ask(question: ControlQuestion, now: number): number | undefined {
    if (!this.#connected || !this.#registered || this.#leaving) return undefined
    const { path, body, method } = questionRequest(question, this.#login.nodeKeyText, this.#version)
    return this.#requests.send('question', path, encodeJson(body), now + REQUEST_TIMEOUT, method)
  }

  /** Tells control to end this login, and stops once it has: `logged-out` follows, also when it has not. */
  logout(now: number): void {
    if (this.#phase === 'stopped') return
    this.#leaving = true
    if (this.#connected) this.#sendLogout(now)
    else if (this.#phase !== 'connecting') this.#connect(now)
  }

  /** Stops at once and drops the connection. */
  close(): void {
    this.#stop()
  }

  /** The shell is connected to the server we mean. */
  handleConnected(now: number): void {
    if (this.#phase !== 'connecting') return
    this.#connected = true
    if (this.#leaving) this.#sendLogout(now)
    else if (this.#registered) this.#follow(now)
    else this.#register(now)
  }

  /** The shell could not connect. */
  handleConnectFailed(error: ControlError, now: number): void {
    if (this.#phase === 'connecting') this.#trouble(error, now)
  }

  /** The connection ended. */
  handleDisconnected(error: ControlError, now: number): void {
    if (!this.#connected) return
    this.#connected = false
    this.#trouble(error, now)
  }

  /** A new node key is kept: it may be told. */
  handleKept(nodeKey: Uint8Array, now: number): void {
    if (this.#phase !== 'keeping') return
    this.#login.handleKept(nodeKey)
    this.#register(now)
  }

  /** A new node key could not be kept: the node goes by the one it has, and tries again later. */
  handleNotKept(error: ControlError, now: number): void {
    if (this.#phase === 'keeping') this.#trouble(error, now)
  }

  /** A request's answer began. */
  handleResponse(id: number, status: number, now: number): void {
    const request = this.#requests.get(id)
    if (request === undefined) return
    request.status = status
    if (request.purpose !== 'map' || status !== 200) return
    this.#session = new MapSession(now, this.#options.zstd)
    this.#keeper.beginSession()
  }

  /** A piece of a request's answer came. */
  handleData(id: number, chunk: Uint8Array, now: number): void {
    const request = this.#requests.get(id)
    if (request === undefined) return
    if (request.purpose === 'map' && request.status === 200) {
      this.#session?.handleData(chunk, now)
      return this.#readSession(now)
    }
    this.#requests.collect(id, chunk)
  }

  /** A request's answer ended; `error` says that it broke off. */
  handleEnd(id: number, error: ControlError | undefined, now: number): void {
    const request = this.#requests.close(id)
    if (request === undefined) return
    switch (request.purpose) {
      case 'register':
        return this.#endRegister(request, error, now)
      case 'map':
        return this.#endMap(request, error, now)
      case 'report':
        return this.#endReport(request, error, now)
      case 'logout':
        return this.#endLogout(request, error, now)
      case 'question':
        return void this.#out.push(questionAnswer(id, request, error))
      case 'reply':
        return undefined
    }
  }

  /** Does whatever is due. Harmless when called early. */
  handleTimeout(now: number): void {
    if (this.#phase === 'stopped') return
    if (now >= this.#expiryAt) this.#expire(now)
    if (this.#session !== undefined && now >= this.#session.pollTimeout()) {
      this.#session.handleTimeout(now)
      this.#readSession(now)
    }
    if (this.#phase === 'waiting' && now >= this.#deadline) this.#resume(now)
    else if (this.#phase === 'connecting' && now >= this.#deadline) {
      this.#trouble(new ControlError('ERR_CONTROL_UNREACHABLE', 'the control server does not answer'), now)
    }
    for (const id of this.#requests.overdue(now)) this.#timeOut(id, now)
    this.#sendReport(now)
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): ControlOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call `handleTimeout`; `Infinity` means never. */
  pollTimeout(): number {
    if (this.#phase === 'stopped') return Infinity
    const report = this.#mayReport() ? this.#reporter.dueAt : Infinity
    const session = this.#session?.pollTimeout() ?? Infinity
    return Math.min(this.#deadline, this.#expiryAt, session, report, this.#requests.nextDeadline())
  }

  #connect(now: number): void {
    this.#phase = 'connecting'
    this.#deadline = now + CONNECT_TIMEOUT
    this.#out.push({ kind: 'connect' })
  }

  /** Goes on after a pause, from wherever it broke off. */
  #resume(now: number): void {
    if (!this.#connected) return this.#connect(now)
    if (this.#registered) return this.#follow(now)
    return this.#register(now)
  }

  #register(now: number): void {
    this.#phase = 'registering'
    this.#deadline = Infinity
    const timeout = this.#login.waits ? Infinity : REQUEST_TIMEOUT
    this.#send('register', '/machine/register', this.#login.request(this.#reporter.hostinfo), now + timeout)
  }

  #endRegister(answer: Answer, error: ControlError | undefined, now: number): void {
    const failure = error ?? refusal(answer.status, answer.body, 'the login')
    if (failure !== undefined) return this.#trouble(failure, now)
    const response = decodeJson(answer.body, decodeRegisterResponse)
    if (response !== undefined) return this.#takeStep(this.#login.handleAnswer(response), now)
    this.#trouble(new ControlError('ERR_CONTROL_PROTOCOL', 'the answer to the login cannot be read'), now)
  }

  #takeStep(step: LoginStep, now: number): void {
    switch (step.kind) {
      case 'again':
        return this.#register(now)
      case 'keep':
        this.#phase = 'keeping'
        return void this.#out.push(step)
      case 'visit':
        if (!step.fresh) return this.#wait(this.#backoff.next(), now)
        this.#event({ event: 'auth-url', url: step.url })
        return this.#register(now)
      case 'failed':
        return this.#trouble(step.error, now)
      case 'done': {
        this.#registered = true
        const { nodeKey, oldNodeKey } = this.#login
        this.#event({ event: 'registered', nodeKey, oldNodeKey, user: step.user, login: step.login })
        return this.#follow(now)
      }
    }
  }

  #follow(now: number): void {
    this.#phase = 'following'
    this.#deadline = Infinity
    const { hostinfo, discoKey } = this.#reporter
    const request = {
      Version: this.#version,
      Compress: this.#options.zstd === undefined ? '' : 'zstd',
      KeepAlive: true,
      NodeKey: this.#login.nodeKeyText,
      DiscoKey: discoKey,
      Stream: true,
      Hostinfo: hostinfo,
    }
    this.#sessionRequest = this.#send('map', '/machine/map', request, now + REQUEST_TIMEOUT)
    this.#reporter.markStale()
    this.#sendReport(now)
  }

  /** A server that no longer knows the node says 404: the way back is to log in again (control §6.2). */
  #endMap(answer: Answer, error: ControlError | undefined, now: number): void {
    const failure = error ?? refusal(answer.status, answer.body, 'the map')
    if (failure !== undefined) {
      if (isUnknownNode(answer.status)) this.#registered = false
      return this.#trouble(failure, now)
    }
    this.#session?.handleEnd()
    this.#readSession(now)
  }

  #readSession(now: number): void {
    const session = this.#session
    for (let output = session?.poll(); output !== undefined; output = session?.poll()) {
      if (output.kind === 'response') this.#takeResponse(output.response, now)
      else this.#endSession(output.error, now)
    }
  }

  #endSession(error: ControlError, now: number): void {
    this.#requests.cancel(this.#sessionRequest)
    this.#trouble(error, now)
  }

  #takeResponse(response: MapResponse, now: number): void {
    const request = this.#requests.get(this.#sessionRequest)
    if (request !== undefined) request.deadline = Infinity
    this.#doCourtesies(response, now)
    const update = this.#keeper.apply(response)
    if (update === undefined) return
    this.#setExpiry(now)
    if (response.KeepAlive === true) return
    const first = this.#followingSince === undefined
    if (first) this.#followingSince = now
    this.#event({ event: 'map', map: update.map, changes: update.changes })
    if (first) this.#event({ event: 'following', following: true })
    this.#sayWhenExpired(update.changes.self)
  }

  /** A person must log in again when this node's own key has ended; the stream stays, for an admin may extend it. */
  #sayWhenExpired(selfChanged: boolean): void {
    if (!selfChanged || this.#keeper.map?.self.expired !== true) return
    const error = new ControlError('ERR_CONTROL_KEY_EXPIRED', "this node's key has expired: log in again")
    this.#event({ event: 'trouble', error, retryIn: Infinity })
  }

  #expire(now: number): void {
    const update = this.#keeper.expire()
    this.#setExpiry(now)
    if (update === undefined) return
    this.#event({ event: 'map', map: update.map, changes: update.changes })
    this.#sayWhenExpired(update.changes.self)
  }

  /** A key may end a little after the clock says so, never before: the timer looks again after a second. */
  #setExpiry(now: number): void {
    const wait = this.#keeper.nextExpiryIn()
    this.#expiryAt = now + Math.max(wait, 1000)
  }

  #mayReport(): boolean {
    return this.#phase === 'following' && this.#connected
  }

  #sendReport(now: number): void {
    if (!this.#mayReport() || now < this.#reporter.dueAt) return
    const request = this.#reporter.take(this.#version, this.#login.nodeKeyText)
    this.#send('report', '/machine/map', request, now + REQUEST_TIMEOUT)
  }

  #endReport(answer: Answer, error: ControlError | undefined, now: number): void {
    if (error !== undefined || answer.status !== 200) return this.#reporter.failed(now)
    this.#reporter.sent()
    this.#sendReport(now)
  }

  /** The stream goes first: the server may end it before it answers, and that is no trouble now. */
  #sendLogout(now: number): void {
    this.#requests.cancel(this.#sessionRequest)
    this.#endFollowing(now)
    this.#phase = 'registering'
    this.#deadline = Infinity
    this.#send(
      'logout',
      '/machine/register',
      this.#login.logoutRequest(this.#reporter.hostinfo),
      now + CONNECT_TIMEOUT,
    )
  }

  #endLogout(answer: Answer, error: ControlError | undefined, now: number): void {
    const failure = error ?? refusal(answer.status, answer.body, 'the logout')
    if (failure) return this.#stayLoggedIn(failure, now)
    this.#event({ event: 'logged-out' })
    this.#stop()
  }

  /** The login counts still, and what it needs goes on: on a new connection, since the stream was ended for the logout. */
  #stayLoggedIn(error: ControlError, now: number): void {
    this.#leaving = false
    this.#event({ event: 'logged-out', error })
    this.#drop()
    this.#wait(this.#backoff.next(), now)
  }

  #doCourtesies(response: MapResponse, now: number): void {
    for (const courtesy of this.#courtesies.take(response)) this.#doCourtesy(courtesy, now)
  }

  #doCourtesy(courtesy: Courtesy, now: number): void {
    switch (courtesy.kind) {
      case 'reply':
        return void this.#requests.send('reply', courtesy.path, courtesy.body, now + REQUEST_TIMEOUT)
      case 'head':
        return void this.#out.push(courtesy)
      case 'ping':
        return this.#event({ event: 'ping', request: courtesy.request })
      case 'browse':
        return this.#event({ event: 'browse', url: courtesy.url })
    }
  }

  #send(purpose: Purpose, path: string, body: unknown, deadline: number): number {
    return this.#requests.send(purpose, path, encodeJson(body), deadline)
  }

  #timeOut(id: number, now: number): void {
    this.#out.push({ kind: 'cancel', id })
    this.handleEnd(id, new ControlError('ERR_CONTROL_UNREACHABLE', 'the control server does not answer'), now)
  }

  /**
   * Something failed. What a person must mend stops the client; everything else is tried again after a while, on a
   * new connection: the old one may be half dead. Once in, only a server that proved its key stops it: whoever stands
   * in the way of a connection for a moment must not keep the node out for ever.
   */
  #trouble(error: ControlError, now: number): void {
    this.#endFollowing(now)
    if (this.#leaving) return this.#stayLoggedIn(error, now)
    if (isFinal(error) && (this.#connected || this.map === undefined)) {
      this.#event({ event: 'trouble', error, retryIn: Infinity })
      return this.#stop()
    }
    this.#drop()
    const retryIn = this.#backoff.next()
    this.#event({ event: 'trouble', error, retryIn })
    this.#wait(retryIn, now)
  }

  #wait(delay: number, now: number): void {
    this.#phase = 'waiting'
    this.#deadline = now + delay
  }

  /** A server that takes every stream and drops it at once is met ever more slowly, like one that takes none. */
  #endFollowing(now: number): void {
    this.#session = undefined
    if (this.#followingSince === undefined) return
    if (now - this.#followingSince >= STEADY_AFTER) this.#backoff.reset()
    this.#followingSince = undefined
    this.#event({ event: 'following', following: false })
  }

  /** Forgets every request and the connection, or the attempt at one. */
  #drop(): void {
    const lost = new ControlError('ERR_CONTROL_LOST', 'the connection to the control server was lost')
    for (const [id, purpose] of this.#requests.clear()) {
      if (purpose === 'report') this.#reporter.lost()
      if (purpose === 'question') this.#out.push({ kind: 'answer', id, error: lost })
    }
    if (this.#connected || this.#phase === 'connecting') this.#out.push({ kind: 'disconnect' })
    this.#connected = false
  }

  #stop(): void {
    if (this.#phase === 'stopped') return
    this.#endFollowing(-Infinity)
    this.#drop()
    this.#phase = 'stopped'
    this.#deadline = Infinity
  }

  #event(event: EventBody): void {
    this.#out.push({ kind: 'event', ...event })
  }
}

type EventBody = DistributiveOmit<Extract<ControlOutput, { kind: 'event' }>, 'kind'>
type DistributiveOmit<T, K extends keyof T> = T extends unknown ? Omit<T, K> : never
