// The daemon's will: what the user wished (up, down, which control server) against the one node that runs or not.
// The local API calls it; it knows nothing of HTTP.
import type {
  BackendState,
  MapCache,
  MeshNodeApi,
  NetErrorCode,
  NodeEvent,
  StateStore,
  Status,
} from '@mesh/net'
import { randomUUID } from 'node:crypto'
import { BACKEND_STATES, NetError, NODE_KEY } from '@mesh/net'
import {
  describePrefs,
  hasGoodPrefs,
  mergeMaskedPrefs,
  mergePrefs,
  type Prefs,
  readPrefs,
  writePrefs,
} from './prefs.ts'
import { EMPTY_STATUS, namelessSelf } from './empty-status.ts'
import { VERSION } from './version.ts'

/** What the daemon asks for when it starts a node. */
export interface NodeRequest {
  /** Address of the control server. */
  readonly controlUrl: string
  /** Name to go by. */
  readonly hostname: string
  /** Secret that admits a new node. */
  readonly authKey?: string
  /** UDP port on which it relays between its peers; left out when it does not. */
  readonly relayServerPort?: number
  /** True to go on trying while control cannot be reached. */
  readonly keepTrying: boolean
}

/** Starts a node; the seat between the daemon's will and the network. */
export type StartNode = (request: NodeRequest) => MeshNodeApi

/** Ends a login at control, of a node that does not run; rejects with one sentence when control was not told. */
export type EndLogin = (login: Pick<NodeRequest, 'controlUrl' | 'hostname'>) => Promise<void>

/** One message on the notification bus. */
export interface Notify {
  /** Version of the daemon. */
  readonly Version: string
  /** New state, as its number. */
  readonly State?: number
  /** What failed, one sentence. */
  readonly ErrMessage?: string
  /** Where a person can log this node in. */
  readonly BrowseToURL?: string
  /** The wishes, when they were asked for. */
  readonly Prefs?: object
  /** Names the watcher's session, in its first message. */
  readonly SessionID?: string
  /** There when a login has just succeeded. */
  readonly LoginFinished?: object
}

/** What a watcher wants to begin with. */
export interface InitialNews {
  /** The state. */
  readonly state: boolean
  /** The wishes. */
  readonly prefs: boolean
}

const ALL_NEWS: InitialNews = { state: true, prefs: true }

/** What the backend is made of. */
export interface BackendOptions {
  readonly store: StateStore
  /** Where the last map is kept; emptied by a logout. */
  readonly mapCache?: MapCache
  readonly startNode: StartNode
  readonly endLogin: EndLogin
  /** The machine's own name. */
  readonly hostname: string
  /** True when packets go through a kernel device. */
  readonly tun: boolean
  /** Takes what is worth a line in the log. Never a secret. */
  readonly log: (level: 'info' | 'warn', text: string) => void
}

/** Keeps one node in the state that the user wants. */
export class Backend {
  readonly #options: BackendOptions
  readonly #listeners = new Set<(notify: Notify) => void>()
  #prefs: Prefs
  #node: MeshNodeApi | undefined
  #stopListening: (() => void) | undefined
  #lastState: BackendState | undefined
  #authUrl = ''
  #trouble = ''
  /** Why the last attempt ended for good; nothing is tried again until the user wishes something. */
  #failure: NetErrorCode | undefined
  #turn: Promise<void> = Promise.resolve()

  constructor(options: BackendOptions) {
    this.#options = options
    this.#prefs = readPrefs(options.store)
    if (!hasGoodPrefs(options.store)) {
      options.log(
        'warn',
        'The settings in the state file are damaged: this machine stays down until mesh up.',
      )
    }
  }

  /** The wishes now. */
  get prefs(): Prefs {
    return this.#prefs
  }

  /** The running node, if any. */
  get node(): MeshNodeApi | undefined {
    return this.#node
  }

  /** Goes on where the last run ended. */
  async resume(): Promise<void> {
    if (this.#prefs.WantRunning && this.#hasKey()) await this.#inTurn(async () => this.#run(true))
  }

  /**
   * Starts the node anew with the given wishes; returns at once, the bus tells how it went.
   * A node that already runs with the same wishes is left alone.
   */
  async start(options: { readonly AuthKey?: string; readonly UpdatePrefs?: unknown }): Promise<void> {
    await this.#inTurn(async () => {
      const before = this.#prefs
      const wished = { ...mergePrefs(before, options.UpdatePrefs), WantRunning: true, LoggedOut: false }
      const unchanged = wished.ControlURL === before.ControlURL && wished.Hostname === before.Hostname
      if (this.#node && unchanged && this.state() === 'Running') return this.#tellState(true)
      await this.#stop()
      this.#prefs = wished
      this.#run(false, options.AuthKey)
    })
  }

  /** Changes some wishes (a masked change) and acts on them. Returns the wishes after it. */
  async editPrefs(masked: unknown): Promise<Prefs> {
    await this.#inTurn(async () => {
      const next = mergeMaskedPrefs(this.#prefs, masked)
      const was = this.#prefs
      await writePrefs(this.#options.store, next)
      this.#prefs = next
      if (was.WantRunning && !next.WantRunning) await this.#stop()
      if (next.Hostname !== was.Hostname) this.#node?.setHostname(next.Hostname || this.#options.hostname)
      if (next.RelayServerPort !== was.RelayServerPort)
        this.#node?.setRelayServerPort(next.RelayServerPort ?? undefined)
      if (next.WantRunning && !this.#node && this.#hasKey()) this.#run(true)
      this.#tell({ Version: VERSION, Prefs: describePrefs(next) })
      this.#tellState()
    })
    return this.#prefs
  }

  /** Logs in with a person's help. A login that is under way already goes on; its address is told again. */
  async login(): Promise<void> {
    if (!this.#node) return this.start({})
    if (this.#authUrl) this.#tell({ Version: VERSION, BrowseToURL: this.#authUrl })
  }

  /**
   * Leaves the mesh, ends the login at control and forgets it here, also when control could not be told: then it rejects
   * with what is so now and why.
   */
  async logout(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#stop()
      const unheard = await this.#endLogin()
      this.#failure = undefined
      this.#prefs = { ...this.#prefs, WantRunning: false, LoggedOut: true }
      await this.#options.store.write({ [NODE_KEY]: undefined })
      await writePrefs(this.#options.store, this.#prefs)
      // Last: without the key the map is of no use to anybody but the curious.
      await this.#options.mapCache?.write(undefined)
      this.#tellState()
      if (unheard) throw new Error(unheard)
    })
  }

  /** The login that is kept is one at the control server that is kept, whatever was wished since. Returns why it has not ended. */
  async #endLogin(): Promise<string | undefined> {
    const { ControlURL: controlUrl, Hostname } = readPrefs(this.#options.store)
    if (!this.#hasKey() || !controlUrl) return undefined
    try {
      await this.#options.endLogin({ controlUrl, hostname: Hostname || this.#options.hostname })
      return undefined
    } catch (error) {
      return `This machine has forgotten its login. ${sentence(error)}`
    }
  }

  /** Returns where the node stands. */
  state(): BackendState {
    const running = this.#node?.status().BackendState
    if (running === 'Starting' && this.#authUrl) return 'NeedsLogin'
    if (running) return running
    if (!this.#hasKey() || this.#prefs.LoggedOut || isRefusal(this.#failure)) return 'NeedsLogin'
    if (this.#failure) return 'Stopped'
    return this.#prefs.WantRunning ? 'Starting' : 'Stopped'
  }

  /** Returns the whole status, or without the peers. */
  status(withPeers = true): Status {
    const known = this.#node?.status()
    const status: Status = known
      ? { Version: VERSION, ...known, BackendState: this.state(), AuthURL: this.#authUrl }
      : { ...EMPTY_STATUS, TUN: this.#options.tun, BackendState: this.state(), HaveNodeKey: this.#hasKey() }
    const Self = status.Self ?? namelessSelf(this.#prefs.Hostname || this.#options.hostname)
    const Health = [...new Set([...status.Health, ...(this.#trouble ? [this.#trouble] : [])])]
    return { ...status, Self, Health, ...(withPeers ? {} : { Peer: null, User: null }) }
  }

  /** Calls `listener` for every notification, first what it asked to begin with; returns the function that ends it. */
  subscribe(listener: (notify: Notify) => void, initially: InitialNews = ALL_NEWS): () => void {
    this.#listeners.add(listener)
    const first: Notify = {
      Version: VERSION,
      ...(initially.state
        ? { SessionID: randomUUID().slice(0, 8), State: BACKEND_STATES.indexOf(this.state()) }
        : {}),
      ...(initially.prefs ? { Prefs: describePrefs(this.#prefs) } : {}),
      ...(initially.state && this.#authUrl ? { BrowseToURL: this.#authUrl } : {}),
    }
    if (initially.state || initially.prefs) listener(first)
    return () => this.#listeners.delete(listener)
  }

  /** Ends the node and leaves the wishes as they are. */
  async close(): Promise<void> {
    await this.#inTurn(() => this.#stop())
  }

  #run(keepTrying: boolean, authKey?: string): void {
    const node = this.#options.startNode({
      controlUrl: this.#prefs.ControlURL,
      hostname: this.#prefs.Hostname || this.#options.hostname,
      ...(this.#prefs.RelayServerPort === null ? {} : { relayServerPort: this.#prefs.RelayServerPort }),
      keepTrying,
      ...(authKey ? { authKey } : {}),
    })
    this.#node = node
    this.#trouble = ''
    this.#failure = undefined
    this.#stopListening = node.on((event) => this.#handleEvent(node, event))
    this.#tellState()
    node.ready.then(
      () => this.#handleReady(node),
      (error: unknown) => void this.#inTurn(() => this.#handleFailure(node, error, keepTrying)),
    )
  }

  #handleReady(node: MeshNodeApi): void {
    if (node !== this.#node) return
    this.#authUrl = ''
    this.#trouble = ''
    writePrefs(this.#options.store, this.#prefs).catch((error: unknown) => this.#fail(sentence(error)))
    this.#tell({ Version: VERSION, LoginFinished: {} })
    this.#options.log('info', `in the mesh as ${node.addresses.join(', ')}`)
    this.#tellState()
  }

  async #handleFailure(node: MeshNodeApi, error: unknown, wasPatient: boolean): Promise<void> {
    if (node !== this.#node) return
    const wasSaid = this.#trouble === sentence(error)
    await this.#stop()
    // Wishes that never came true are not kept: the next start of the daemon finds the last good ones.
    this.#prefs = readPrefs(this.#options.store)
    this.#fail(sentence(error), wasSaid)
    const code = error instanceof NetError ? error.code : 'ERR_NODE_FAILED'
    // A patient node ends only for what trying again cannot mend.
    const resume =
      !wasPatient && code === 'ERR_CONTROL_UNREACHABLE' && this.#prefs.WantRunning && this.#hasKey()
    if (resume) this.#run(true)
    else this.#failure = code
    this.#tellState()
  }

  #handleEvent(node: MeshNodeApi, event: NodeEvent): void {
    if (node !== this.#node) return
    if (event.kind === 'auth-url') {
      this.#authUrl = event.url
      this.#tellState()
      this.#tell({ Version: VERSION, BrowseToURL: event.url })
    }
    if (event.kind === 'trouble' && event.message !== this.#trouble) {
      this.#trouble = event.message
      this.#options.log('warn', event.message)
    }
    if (event.kind === 'status') {
      if (node.status().BackendState === 'Running') this.#trouble = ''
      this.#tellState()
    }
  }

  #fail(message: string, wasSaid = false): void {
    this.#trouble = message
    if (!wasSaid) this.#options.log('warn', message)
    this.#tell({ Version: VERSION, ErrMessage: message })
  }

  async #stop(): Promise<void> {
    const node = this.#node
    this.#node = undefined
    this.#authUrl = ''
    this.#trouble = ''
    this.#stopListening?.()
    await node?.close()
  }

  #tellState(again = false): void {
    const state = this.state()
    if (state === this.#lastState && !again) return
    if (state !== this.#lastState) this.#options.log('info', `state ${state}`)
    this.#lastState = state
    this.#tell({ Version: VERSION, State: BACKEND_STATES.indexOf(state) })
  }

  #tell(notify: Notify): void {
    for (const listener of this.#listeners) listener(notify)
  }

  #hasKey(): boolean {
    return this.#options.store.read(NODE_KEY) !== undefined
  }

  /** One wish at a time, in the order they came. */
  #inTurn(work: () => Promise<void> | void): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}

function isRefusal(code: NetErrorCode | undefined): boolean {
  return code === 'ERR_LOGIN_REFUSED' || code === 'ERR_LOGIN_NEEDED'
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
