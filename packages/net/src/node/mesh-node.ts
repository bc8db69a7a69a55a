// A whole node on the system's sockets: control tells who the peers are, magicsock finds the paths, the engine
// carries the packets. This file introduces them to each other; what each must do on a new map is in reconcile.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ControlError, ControlEvent, ControlQuestion } from '@mesh/control-client'
import { type ControlConnection, connectControl } from '@mesh/control-client/node'
import { DnsResolver } from '@mesh/dns'
import { formatDiscoKey, publicKeyOf } from '@mesh/keys'
import type { MagicSockEvent } from '@mesh/magicsock'
import { type MapChanges, nodeByName, type NetworkMap } from '@mesh/netmap'
import { systemRandom } from '@mesh/sansio/node'
import type { DERPMap } from '@mesh/wire/control'
import { parseAddress } from '@mesh/wire/ip'
import type { LinuxDataPlaneEvent } from '@mesh/wireguard/node'
import { answerControlCall, type CallSources } from '../control-calls.ts'
import { wayOf } from '../describe-path.ts'
import { addressesOf, stateOf, whoIs } from '../describe-status.ts'
import type { MapOwner } from '../map-cache.ts'
import { describeNetcheck } from '../net-info.ts'
import type {
  MeshDatagram,
  MeshListener,
  MeshNodeApi,
  MeshUdpSocket,
  NodeEvent,
  PingOptions,
  WhoIs,
} from '../node-api.ts'
import { PeerTable } from '../peer-table.ts'
import { EVERYTHING } from '../reconcile.ts'
import { memoryStore, type StateStore } from '../state-store.ts'
import type { BackendState, NetcheckReport, PathReport, PingResult, Status } from '../status.ts'
import type { UserspaceHost } from '../userspace-host.ts'
import { askControl } from './ask-control.ts'
import { DataSide } from './data-side.ts'
import { dial } from './dial.ts'
import { tellLogout } from './end-login.ts'
import { HostEnd } from './host-end.ts'
import { HostSetter } from './host-setter.ts'
import { hostInfo } from './host-info.ts'
import { MapMemory } from './map-memory.ts'
import { MeshStream } from './mesh-stream.ts'
import { closedError, explain } from './node-error.ts'
import { loadKeys, type NodeKeys, pinControlKey, pinnedControlKey, saveKeys } from './node-keys.ts'
import type { NodeOptions } from './node-options.ts'
import { nodeStatus } from './node-status.ts'
import { explainPeer, type Knowledge, noPeer, pingPeer } from './peer-questions.ts'
import { logThread } from './thread-news.ts'
import { within } from './within.ts'

/** How long a lost device is left alone, in milliseconds: what is lost each time must not keep the processor busy. */
const REOPEN_DELAY = 1000

/** How long the end waits for what is under way, in milliseconds. */
const CLOSE_PATIENCE = 2000

/** A node of the mesh in this process. */
export class MeshNode implements MeshNodeApi {
  /** Resolves when the node is in the mesh; rejects with a NetError when it cannot come so far. */
  readonly ready: Promise<void>
  readonly #options: NodeOptions
  readonly #store: StateStore
  readonly #listeners = new Set<(event: NodeEvent) => void>()
  readonly #peers = new PeerTable()
  readonly #dns = new DnsResolver()
  readonly #settle: { readonly resolve: () => void; readonly reject: (error: Error) => void }
  readonly #host: HostEnd
  #hostname: string
  /** The port on which this node relays for its peers. */
  #relayServerPort: number | undefined
  #keys: NodeKeys
  #data: DataSide | undefined
  #control: ControlConnection | undefined
  #map: NetworkMap | undefined
  readonly #memory: MapMemory
  /** Whether the map is that of the last run: control has not said anything yet. */
  #remembered = false
  #trouble = ''
  /** Whether failures before the first map are waited out. */
  #patient: boolean
  #refused = false
  /** What ails the device, for as long as it does. */
  #hostTrouble = ''
  readonly #hostNetwork: HostSetter
  #closing: Promise<void> | undefined
  /** What takes time is done one thing after the other, in the order in which it came. */
  #turn: Promise<void> = Promise.resolve()

  /** Starts a node and returns it at once; await {@link MeshNode.ready}, and close it in any case. */
  static start(options: NodeOptions): MeshNode {
    return new MeshNode(options)
  }

  /**
   * Joins the mesh and returns the node once it has its addresses.
   *
   * @throws NetError `ERR_LOGIN_REFUSED`, `ERR_CONTROL_UNREACHABLE`, `ERR_PORT_IN_USE` and others, a sentence each.
   */
  static async join(options: NodeOptions): Promise<MeshNode> {
    const node = new MeshNode(options)
    try {
      await node.ready
      return node
    } catch (error) {
      await node.close()
      throw error
    }
  }

  private constructor(options: NodeOptions) {
    this.#options = options
    this.#hostname = options.hostname
    this.#relayServerPort = options.relayServerPort
    this.#patient = options.keepTrying === true
    this.#store = options.store ?? memoryStore()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    this.#settle = { resolve, reject }
    promise.catch(() => {})
    this.#host = new HostEnd(
      options,
      (batch) => this.#data?.engine.fromOverlay(batch),
      (error) => this.#handleDeviceLost(error.message),
    )
    this.#hostNetwork = new HostSetter({
      set: options.onHostRoutes,
      onDone: () => this.#tell({ kind: 'status' }),
      onFailure: (error) => this.#fail(error),
    })
    this.#keys = loadKeys(this.#store, systemRandom)
    this.#memory = new MapMemory(options.mapCache, (error) =>
      options.log?.('warn', `the map cannot be kept: ${explain(error).message}`),
    )
    this.#inTurn(() => this.#begin())
  }

  get addresses(): readonly string[] {
    return this.#map ? addressesOf(this.#map.self) : []
  }

  get derpMap(): DERPMap | undefined {
    return this.#map?.derpMap
  }

  whois(addressOrKey: string): WhoIs | undefined {
    return this.#map && whoIs(this.#map, addressOrKey)
  }

  setHostname(hostname: string): void {
    this.#hostname = hostname
    this.#control?.report({ hostinfo: this.#hostinfo(hostname) })
  }

  setRelayServerPort(port: number | undefined): void {
    this.#relayServerPort = port
    void this.#data?.peerRelay.setPort(port)
    this.#control?.report({ hostinfo: this.#hostinfo(this.#hostname) })
  }

  status(): Omit<Status, 'Version'> {
    return nodeStatus(this.#knowledge, this.#state(), this.#sources.health)
  }

  async netcheck(): Promise<NetcheckReport> {
    const derpMap = this.#map?.derpMap
    return this.#data?.netcheck(derpMap) ?? describeNetcheck({ derpMap })
  }

  explain(target: string): PathReport {
    return explainPeer(target, this.#knowledge)
  }

  ping(target: string, options: PingOptions = {}): Promise<PingResult> {
    return pingPeer(target, options, this.#knowledge)
  }

  askControl(question: ControlQuestion): Promise<unknown> {
    return askControl(this.#control, question)
  }

  resolve(name: string): readonly string[] | undefined {
    const node = this.#map && nodeByName(this.#map, name)
    return node && addressesOf(node)
  }

  listenUdp(port: number, onDatagram: (datagram: MeshDatagram) => void): MeshUdpSocket {
    return this.#stack().listenUdp(port, onDatagram)
  }

  /**
   * Opens a TCP connection to a port of a peer, named by mesh address or name, from the user-space stack.
   *
   * @throws NetError `ERR_NO_PEER`, `ERR_REFUSED`, `ERR_NO_ANSWER` or `ERR_CLOSED`; TypeError on a node with a kernel device.
   */
  async dial(target: string, port: number): Promise<MeshStream> {
    const host = this.#stack()
    const address = parseAddress(target) ? target : this.resolve(target)?.[0]
    if (!address) throw noPeer(target)
    return dial(host, target, address, port)
  }

  /**
   * Accepts TCP connections on a port of the user-space stack; port 0 picks one.
   *
   * @throws NetError `ERR_PORT_IN_USE` or `ERR_CLOSED`; TypeError on a node with a kernel device, where the kernel has the ports.
   */
  listen(port: number, onStream: (stream: MeshStream) => void): MeshListener {
    return this.#stack().listenTcp(port, (connection) => {
      const stream = new MeshStream().attach(connection)
      onStream(stream)
      return stream.events()
    })
  }

  on(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async logout(): Promise<void> {
    if (this.#closing) throw closedError()
    await tellLogout(this.#control)
    await this.#turn // A map that came before it must not be remembered after it.
    await this.#memory.forget()
  }

  close(): Promise<void> {
    this.#hostNetwork.close()
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes the node at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #begin(): Promise<void> {
    const { controlUrl, hostname, authKey, store, answerCall } = this.#options
    await this.#host.open()
    if (this.#closing) return
    const data = await this.#openData()
    if (this.#closing) return data.close()
    this.#data = data
    if (this.#options.keepTrying) this.#recall()
    this.#control = connectControl({
      serverUrl: controlUrl,
      machineKey: this.#keys.machineKey,
      nodeKey: this.#keys.nodeKey,
      nextNodeKey: this.#keys.nextNodeKey,
      keepNodeKey: (nextNodeKey) => saveKeys(this.#store, { ...this.#keys, nextNodeKey }),
      discoKey: formatDiscoKey(data.sock.discoKey),
      hostinfo: this.#hostinfo(hostname),
      authKey,
      ephemeral: store === undefined,
      pinnedKey: pinnedControlKey(this.#store, controlUrl),
      answerCall: (call) => answerCall?.(call) ?? answerControlCall(call, this.#sources),
      onServerKey: (key) => this.#inTurn(() => pinControlKey(this.#store, controlUrl, key)),
      onEvent: (event) => this.#inTurn(() => this.#handleControl(event)),
    })
    this.#report()
  }

  get #sources(): CallSources {
    const own = [this.#trouble, this.#hostTrouble].filter((text) => text !== '')
    const health = [...own, ...(this.#data?.troubles ?? [])]
    return { map: this.#map, health, status: () => this.status() }
  }

  #hostinfo(hostname: string): ReturnType<typeof hostInfo> {
    const version = this.#options.version ?? '0.0.0'
    const base = hostInfo(hostname, version, this.#host.userspace !== undefined)
    return this.#relayServerPort === undefined ? base : { ...base, PeerRelay: true }
  }

  /** Begins with the map of the last run, so that a control server that is away keeps nobody apart. */
  #recall(): void {
    const map = this.#memory.recall(this.#owner())
    if (!map || map.self.expired) return
    this.#options.log?.('info', 'going by the last map until control answers')
    this.#remembered = true
    this.#takeMap(map, EVERYTHING)
  }

  #owner(): MapOwner {
    return { controlUrl: this.#options.controlUrl, nodeKey: publicKeyOf(this.#keys.nodeKey) }
  }

  #openData(): Promise<DataSide> {
    return DataSide.open({
      ...this.#options,
      nodeKey: this.#keys.nodeKey,
      host: this.#host,
      dns: this.#dns,
      onPaths: (event) => this.#handlePaths(event),
      onNetworkChange: (isLost) => (isLost ? this.#control?.reconnect() : this.#control?.hurry()),
      onThread: (event) => this.#handleThread(event),
    }).then((data) => {
      void data.peerRelay.setPort(this.#relayServerPort)
      return data
    })
  }

  async #handleControl(event: ControlEvent): Promise<void> {
    if (this.#closing) return
    if (event.event === 'registered') await this.#handleRegistered(event.nodeKey)
    if (event.event === 'map') this.#handleMap(event.map, event.changes)
    if (event.event === 'following') this.#handleFollowing(event.following)
    if (event.event === 'auth-url') this.#handleAuthUrl(event.url)
    if (event.event === 'trouble') this.#handleTrouble(event.error, event.retryIn)
  }

  /** The login is done: from now on the keys count. Control may have asked for a new node key on the way. */
  async #handleRegistered(nodeKey: Uint8Array): Promise<void> {
    const { machineKey, nodeKey: before } = this.#keys
    const renewed = nodeKey.some((byte, index) => byte !== before[index])
    if (!renewed) return saveKeys(this.#store, this.#keys)
    this.#keys = { machineKey, nodeKey: nodeKey.slice() }
    // It is kept as the next one, and a start finds out by itself that it counts.
    await saveKeys(this.#store, this.#keys).catch((error: unknown) =>
      this.#options.log?.('warn', explain(error).message),
    )
    await this.#data?.close()
    await this.#replaceData()
  }

  /** Opens another data side in the place of one that is closed. */
  async #replaceData(): Promise<void> {
    const data = await this.#openData()
    if (this.#closing) return data.close()
    this.#data = data
    this.#control?.report({ discoKey: formatDiscoKey(data.sock.discoKey) })
    this.#report()
    if (this.#map) this.#apply(this.#map, EVERYTHING)
  }

  #handleThread(event: LinuxDataPlaneEvent): void {
    if (this.#options.log) logThread(event, this.#options.log)
    if (event.event === 'failed') this.#inTurn(() => this.#giveUpThread(event.reason))
    if (event.event === 'tun-lost') this.#handleDeviceLost(`the network interface is gone: ${event.reason}`)
  }

  /** Somebody has deleted the interface: it is made again. Several threads may have read it and say so. */
  #handleDeviceLost(reason: string): void {
    const lost = this.#data
    this.#options.log?.('warn', reason)
    this.#inTurn(async () => {
      await sleep(REOPEN_DELAY, undefined, { ref: false })
      if (this.#data && this.#data === (lost ?? this.#data))
        await this.#replaceHost(() => this.#host.reopen())
    })
  }

  /** A thread that died again and again: the control thread moves the packets from now on, slower. */
  #giveUpThread(reason: string): Promise<void> {
    return this.#replaceHost(() => this.#host.giveUpThread(`its thread died too often: ${reason}`))
  }

  async #replaceHost(reopen: () => Promise<void>): Promise<void> {
    if (this.#closing) return
    await this.#data?.close()
    try {
      await reopen()
      await this.#replaceData()
      this.#hostTrouble = ''
    } catch (error) {
      this.#hostTrouble = explain(error).message
      throw error
    }
  }

  /** A person was asked for: from now on it would be wrong to give up over a lost connection. */
  #handleAuthUrl(url: string): void {
    this.#patient = true
    this.#refused = this.#map !== undefined
    this.#forgetMap()
    this.#tell({ kind: 'auth-url', url })
  }

  #handleMap(map: NetworkMap, changes: MapChanges): void {
    const first = this.#map === undefined || this.#remembered
    this.#remembered = false
    this.#refused = false
    this.#memory.remember(map, this.#owner())
    this.#takeMap(map, first ? EVERYTHING : changes)
  }

  #takeMap(map: NetworkMap, changes: MapChanges): void {
    const first = this.#map === undefined
    this.#map = map
    this.#apply(map, changes)
    if (first) void this.#hostNetwork.done.then(() => this.#settle.resolve())
    this.#tell({ kind: 'status' })
  }

  #apply(map: NetworkMap, changes: MapChanges): void {
    this.#host.userspace?.setAddresses(map.self.addresses.map(({ address }) => address))
    this.#data?.apply(map, changes, {
      peers: this.#peers,
      dns: this.#dns,
      onHostRoutes: (routes) => this.#hostNetwork.set(routes),
    })
  }

  #handleFollowing(following: boolean): void {
    if (following) this.#trouble = ''
    this.#data?.sock.setControlConnected(following)
    this.#tell({ kind: 'status' })
  }

  /** Before the first map trouble ends the node, unless it was told to keep trying; later it is only reported. */
  #handleTrouble(error: ControlError, retryIn: number): void {
    const final = retryIn === Infinity
    if (this.#map === undefined && (final || !this.#patient)) return this.#fail(error)
    this.#refused = final
    const isSaid = error.code === 'ERR_CONTROL_REFUSED' || error.code === 'ERR_CONTROL_KEY_EXPIRED'
    if (final && isSaid) this.#forgetMap()
    this.#trouble = explain(error).message
    this.#tell({ kind: 'trouble', message: this.#trouble, code: error.code })
    this.#tell({ kind: 'status' })
  }

  /** Control has said that this login counts no more: then the map of the last run does not either. */
  #forgetMap(): void {
    if (!this.#remembered || !this.#map) return
    void this.#memory.forget()
    this.#takeMap({ ...this.#map, peers: [], packetFilter: [] }, EVERYTHING)
  }

  #handlePaths(event: MagicSockEvent): void {
    if (event.event === 'endpoints') this.#report()
    if (event.event === 'home-relay' || event.event === 'netcheck') {
      this.#report()
      this.#tell({ kind: 'status' })
    }
    if (event.event === 'path-changed') {
      const peer = this.#peers.get(event.peer)?.node.name
      this.#options.log?.('info', 'path changed', { peer, path: wayOf(event.path) })
    }
  }

  get #knowledge(): Knowledge {
    return { map: this.#map, data: this.#data, peers: this.#peers, userspace: this.#host.userspace }
  }

  #stack(): UserspaceHost {
    if (this.#closing) throw closedError()
    if (this.#host.userspace) return this.#host.userspace
    throw new TypeError(
      'a node with a kernel device has no ports of its own: use the address of its interface',
    )
  }

  /** Tells control where this node can be reached. */
  #report(): void {
    if (this.#data) this.#control?.report(this.#data.reach)
  }

  #state(): BackendState {
    const isHome = (this.#data?.sock.homeRelay ?? 0) > 0
    return stateOf(this.#map, { isRefused: this.#refused, hostIsSet: this.#hostNetwork.isSet, isHome })
  }

  /** Ends the attempt to join; a node that is in already only says so. */
  #fail(error: unknown): void {
    const { message, code } = explain(error)
    this.#settle.reject(explain(error))
    this.#tell({ kind: 'trouble', message, code })
  }

  #inTurn(work: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => this.#fail(error))
  }

  #tell(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  async #close(): Promise<void> {
    // What hangs (an `ip` that waits for a lock, a device that never opens) does not hold up the end.
    await within(
      CLOSE_PATIENCE,
      this.#turn.then(() => this.#hostNetwork.done),
    )
    await this.#control?.close()
    await this.#memory.close()
    await this.#data?.close()
    this.#data = undefined
    await this.#host.close()
    this.#settle.reject(closedError())
  }
}
