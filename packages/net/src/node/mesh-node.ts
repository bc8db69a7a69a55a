// A whole node on the system's sockets: control tells who the peers are, magicsock finds the paths, the engine
// carries the packets. This file introduces them to each other; what each must do on a new map is in reconcile.
import { ControlError, type ControlEvent } from '@mesh/control-client'
import { type ControlConnection, connectControl } from '@mesh/control-client/node'
import { DnsResolver } from '@mesh/dns'
import { formatDiscoKey, publicKeyOf } from '@mesh/keys'
import type { MagicSockEvent, PeerStatus as PathStatus } from '@mesh/magicsock'
import { type MagicSockHandle, openMagicSock } from '@mesh/magicsock/node'
import { type MapChanges, type MapNode, nodeByAddress, nodeByName, type NetworkMap } from '@mesh/netmap'
import { nodeCrypto } from '@mesh/noise/node'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { TunDevice } from '@mesh/tun'
import { formatEndpoint, parseAddress } from '@mesh/wire/ip'
import { addressesOf, describeStatus, nameOf } from '../describe-status.ts'
import type { HostRoutes } from '../eligible-routes.ts'
import { Engine } from '../engine.ts'
import { NetError, type NetErrorCode } from '../errors.ts'
import { describeNetcheck, netInfo } from '../net-info.ts'
import type { MeshDatagram, MeshNodeApi, MeshUdpSocket, NodeEvent, PingOptions } from '../node-api.ts'
import { PeerTable } from '../peer-table.ts'
import { reconcile } from '../reconcile.ts'
import { memoryStore, type StateStore } from '../state-store.ts'
import type { BackendState, NetcheckReport, PingResult, Status } from '../status.ts'
import { TUNNEL_PING_TIMEOUT } from '../tunnel-pings.ts'
import { UserspaceHost } from '../userspace-host.ts'
import { hostInfo } from './host-info.ts'
import { loadKeys, type NodeKeys, pinControlKey, pinnedControlKey, saveKeys } from './node-keys.ts'
import { RelayLinks } from './relay-links.ts'

/** How a node joins. */
export interface NodeOptions {
  /** Address of the control server. */
  readonly controlUrl: string
  /** Name to go by in the mesh. */
  readonly hostname: string
  /** Secret that admits a new node; not needed once the node is known. */
  readonly authKey?: string
  /** What the node remembers between runs; nothing when left out, and then control forgets the node too. */
  readonly store?: StateStore
  /** True to go on trying while control cannot be reached; else the first failure ends the node. */
  readonly keepTrying?: boolean
  /** Opens the kernel's device; the user-space stack when left out. The node closes it. */
  readonly openDevice?: () => Promise<TunDevice>
  /** Takes the addresses and routes that the host must have for the device. */
  readonly onHostRoutes?: (routes: HostRoutes) => void
  /** UDP port for peers; any when 0 or left out. */
  readonly port?: number
  /** Counts loopback addresses as reachable: for several nodes on one machine. */
  readonly allowLoopback?: boolean
  /** Version to tell control. */
  readonly version?: string
  /** Takes what is worth a line in a log. Never a secret. */
  readonly log?: (
    level: 'debug' | 'info' | 'warn',
    text: string,
    fields?: Readonly<Record<string, unknown>>,
  ) => void
}

/** The parts that depend on the node key; made anew when control renews it. */
interface DataSide {
  readonly engine: Engine
  readonly sock: MagicSockHandle
  readonly relays: RelayLinks
}

/** A node of the mesh in this process. */
export class MeshNode implements MeshNodeApi {
  /** Resolves when the node is in the mesh; rejects with a NetError when it cannot come so far. */
  readonly ready: Promise<void>
  readonly #options: NodeOptions
  readonly #store: StateStore
  readonly #listeners = new Set<(event: NodeEvent) => void>()
  readonly #peers = new PeerTable()
  readonly #dns = new DnsResolver()
  readonly #settleReady: { readonly resolve: () => void; readonly reject: (error: Error) => void }
  readonly #userspace: UserspaceHost | undefined
  #device: TunDevice | undefined
  #keys: NodeKeys
  #data: DataSide | undefined
  #control: ControlConnection | undefined
  #map: NetworkMap | undefined
  #trouble = ''
  #closing: Promise<void> | undefined
  /** Sides are made one after the other, and events wait for the side they belong to. */
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
    this.#store = options.store ?? memoryStore()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.ready = promise
    this.#settleReady = { resolve, reject }
    promise.catch(() => {})
    this.#userspace = options.openDevice
      ? undefined
      : new UserspaceHost(systemClock, systemRandom, (batch) => this.#data?.engine.fromOverlay(batch))
    this.#keys = loadKeys(this.#store, systemRandom)
    this.#inTurn(() => this.#begin())
  }

  get addresses(): readonly string[] {
    return this.#map ? addressesOf(this.#map.self) : []
  }

  status(): Omit<Status, 'Version'> {
    const sock = this.#data?.sock
    return describeStatus({
      state: this.#state(),
      tun: this.#options.openDevice !== undefined,
      health: this.#trouble ? [this.#trouble] : [],
      map: this.#map,
      ownEndpoints: sock?.endpoints.map(({ endpoint }) => formatEndpoint(endpoint)) ?? [],
      homeRelay: sock?.homeRelay ?? 0,
      pathOf: (node) => this.#pathOf(node),
      lastHandshakeOf: (node) => this.#lastHandshakeOf(node),
    })
  }

  netcheck(): NetcheckReport {
    return describeNetcheck(this.#data?.sock.report, this.#data?.sock.homeRelay ?? 0, this.#map?.derpMap)
  }

  async ping(target: string, options: PingOptions = {}): Promise<PingResult> {
    const { map } = this
    const data = this.#data
    const node = map && this.#find(map, target)
    if (!map || !data || !node)
      throw new NetError('ERR_NO_PEER', `No machine in the mesh is called "${target}" or has that address.`)
    const [address = ''] = parseAddress(target) ? [target] : addressesOf(node)
    const base = {
      ...NO_ANSWER,
      IP: address,
      NodeIP: addressesOf(node)[0] ?? '',
      NodeName: nameOf(map, node),
    }
    if (node === map.self) return { ...base, IsLocalIP: true }
    const numbered = this.#peers.of(node)
    if (!numbered) return { ...base, Err: 'the peer is not in the map' }
    const { type = 'disco', over = 'any', timeoutMs = TUNNEL_PING_TIMEOUT } = options
    return type === 'disco'
      ? { ...base, ...(await this.#pingPath(data, map, numbered.peer, over)) }
      : { ...base, ...(await this.#pingThrough(data, map, type, address, timeoutMs)) }
  }

  resolve(name: string): readonly string[] | undefined {
    const node = this.#map && nodeByName(this.#map, name)
    return node && addressesOf(node)
  }

  listenUdp(port: number, onDatagram: (datagram: MeshDatagram) => void): MeshUdpSocket {
    if (this.#userspace) return this.#userspace.listenUdp(port, onDatagram)
    throw new TypeError('a node with a kernel device has no ports of its own: listen on its address instead')
  }

  on(listener: (event: NodeEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async logout(): Promise<void> {
    await this.#control?.logout()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Closes the node at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get map(): NetworkMap | undefined {
    return this.#map
  }

  async #begin(): Promise<void> {
    if (this.#options.openDevice) {
      this.#device = await this.#options.openDevice()
      this.#device.onPackets((batch) => this.#data?.engine.fromOverlay(batch))
      void this.#device.closed.then((error) => error && this.#fail(error))
    }
    this.#data = await this.#openData()
    const { controlUrl, hostname, authKey, version = '0.0.0', store } = this.#options
    this.#control = connectControl({
      serverUrl: controlUrl,
      machineKey: this.#keys.machineKey,
      nodeKey: this.#keys.nodeKey,
      discoKey: formatDiscoKey(this.#data.sock.discoKey),
      hostinfo: hostInfo(hostname, version, this.#userspace !== undefined),
      authKey,
      ephemeral: store === undefined,
      pinnedKey: pinnedControlKey(this.#store, controlUrl),
      onServerKey: (key) => this.#keep(() => pinControlKey(this.#store, controlUrl, key)),
      onEvent: (event) => this.#inTurn(() => this.#handleControl(event)),
    })
    this.#report()
  }

  async #openData(): Promise<DataSide> {
    const { nodeKey } = this.#keys
    const relays = new RelayLinks(nodeKey, (region, message) =>
      this.#log('debug', `relay ${region}: ${message}`),
    )
    let engine: Engine | undefined
    const sock = await openMagicSock({
      nodeKey: publicKeyOf(nodeKey),
      port: this.#options.port ?? 0,
      allowLoopback: this.#options.allowLoopback ?? false,
      connectRelay: (region, handlers) => relays.connect(region, handlers),
      onPacket: (bytes, _peer, source) => engine?.fromUnderlay(bytes, source),
      onEvent: (event) => this.#handlePaths(event),
    })
    engine = new Engine({
      privateKey: nodeKey,
      underlay: {
        send: (peer, datagram) => void sock.send(peer, datagram),
        attribute: (source, peer) => sock.attribute(source, peer),
        learnDiscoKey: (peer, discoKey) => sock.learnDiscoKey(peer, discoKey),
      },
      dns: this.#dns,
      clock: systemClock,
      random: systemRandom,
      wallClock: () => Date.now(),
      crypto: nodeCrypto,
    })
    const host = this.#device ?? this.#userspace
    if (host) engine.setHost(host)
    return { engine, sock, relays }
  }

  async #handleControl(event: ControlEvent): Promise<void> {
    if (this.#closing) return
    if (event.event === 'registered') await this.#handleRegistered(event.nodeKey)
    if (event.event === 'map') this.#handleMap(event.map, event.changes)
    if (event.event === 'following') this.#handleFollowing(event.following)
    if (event.event === 'auth-url') this.#tell({ kind: 'auth-url', url: event.url })
    if (event.event === 'trouble') this.#handleTrouble(event.error, event.retryIn)
  }

  /** The login is done: from now on the keys count. Control may have asked for a new node key on the way. */
  async #handleRegistered(nodeKey: Uint8Array): Promise<void> {
    const renewed = !sameBytes(nodeKey, this.#keys.nodeKey)
    this.#keys = { ...this.#keys, nodeKey: nodeKey.slice() }
    await saveKeys(this.#store, this.#keys)
    if (!renewed) return
    await this.#closeData()
    this.#data = await this.#openData()
    this.#control?.report({ discoKey: formatDiscoKey(this.#data.sock.discoKey) })
    this.#report()
    if (this.#map) this.#apply(this.#map, EVERYTHING)
  }

  #handleMap(map: NetworkMap, changes: MapChanges): void {
    const first = this.#map === undefined
    this.#map = map
    this.#apply(map, first ? EVERYTHING : changes)
    if (first) this.#settleReady.resolve()
    this.#tell({ kind: 'status' })
  }

  #apply(map: NetworkMap, changes: MapChanges): void {
    const data = this.#data
    if (!data) return
    const own = map.self.addresses.map((prefix) => prefix.address)
    data.relays.update(map.derpMap)
    data.engine.setOwnAddresses(own)
    this.#userspace?.setAddresses(own)
    reconcile(map, changes, {
      peers: this.#peers,
      wireguard: { setPeers: (peers) => data.engine.wireguard.setPeers(peers, systemClock.now()) },
      paths: data.sock,
      filter: data.engine.filter,
      dns: this.#dns,
      onHostRoutes: (routes) => this.#options.onHostRoutes?.(routes),
    })
    data.engine.wake()
  }

  #handleFollowing(following: boolean): void {
    if (following) this.#trouble = ''
    this.#data?.sock.setControlConnected(following)
    this.#tell({ kind: 'status' })
  }

  /** Before the first map trouble ends the node, unless it was told to keep trying; later it is only reported. */
  #handleTrouble(error: ControlError, retryIn: number): void {
    this.#trouble = sentence(error.message)
    const final = retryIn === Infinity
    if (this.#map === undefined && (final || this.#options.keepTrying !== true)) return this.#fail(error)
    this.#tell({ kind: 'trouble', message: this.#trouble, code: error.code })
    this.#tell({ kind: 'status' })
  }

  #handlePaths(event: MagicSockEvent): void {
    const data = this.#data
    if (event.event === 'peer-restarted') data?.engine.wireguard.resetPeer(event.peer, systemClock.now())
    if (event.event === 'peer-restarted') data?.engine.wake()
    if (event.event === 'endpoints') this.#report()
    if (event.event === 'home-relay' || event.event === 'netcheck') {
      this.#report()
      this.#tell({ kind: 'status' })
    }
    if (event.event === 'path-changed') {
      const name = this.#peers.get(event.peer)?.node.name
      const way = event.path.kind === 'direct' ? formatEndpoint(event.path.endpoint) : event.path.kind
      this.#log('info', 'path changed', { peer: name, path: way })
    }
  }

  /** Tells control where this node can be reached. */
  #report(): void {
    const sock = this.#data?.sock
    if (!sock) return
    this.#control?.report({
      endpoints: sock.endpoints.map(({ endpoint, type }) => ({ endpoint: formatEndpoint(endpoint), type })),
      netInfo: netInfo(sock.report, sock.homeRelay),
    })
  }

  #state(): BackendState {
    const { self, derpMap } = this.#map ?? {}
    if (!self) return 'Starting'
    if (self.expired) return 'NeedsLogin'
    if (self.source.MachineAuthorized === false) return 'NeedsMachineAuth'
    const hasRelays = Object.keys(derpMap?.Regions ?? {}).length > 0
    return !hasRelays || (this.#data?.sock.homeRelay ?? 0) > 0 ? 'Running' : 'Starting'
  }

  #find(map: NetworkMap, target: string): MapNode | undefined {
    const address = parseAddress(target)
    return address ? nodeByAddress(map, address) : nodeByName(map, target)
  }

  #pathOf(node: MapNode): PathStatus | undefined {
    const numbered = this.#peers.of(node)
    return numbered && this.#data?.sock.status(numbered.peer)
  }

  #lastHandshakeOf(node: MapNode): number | undefined {
    const numbered = this.#peers.of(node)
    const at = numbered && this.#data?.engine.wireguard.status(numbered.peer)?.lastHandshakeAt
    return at === undefined ? undefined : Date.now() - (systemClock.now() - at)
  }

  async #pingPath(
    data: DataSide,
    map: NetworkMap,
    peer: number,
    over: 'any' | 'relay',
  ): Promise<Partial<PingResult>> {
    const result = await data.sock.ping(peer, over)
    if (!result.ok) return { Err: PING_FAILURES[result.reason] }
    const LatencySeconds = result.latency / 1000
    if ('endpoint' in result) return { LatencySeconds, Endpoint: formatEndpoint(result.endpoint) }
    const code = map.derpMap?.Regions?.[String(result.region)]?.RegionCode ?? ''
    return { LatencySeconds, DERPRegionID: result.region, DERPRegionCode: code }
  }

  async #pingThrough(
    data: DataSide,
    map: NetworkMap,
    type: 'TSMP' | 'ICMP',
    target: string,
    timeout: number,
  ): Promise<Partial<PingResult>> {
    const destination = parseAddress(target)
    const source = map.self.addresses.find((prefix) => prefix.address.length === destination?.length)?.address
    if (!destination || !source) return { Err: 'this machine has no address of that family' }
    const latency = await data.engine.ping(type, source, destination, timeout)
    return latency === undefined ? { Err: 'timed out' } : { LatencySeconds: latency / 1000 }
  }

  /** Ends the attempt to join; a node that is in already only says so. */
  #fail(error: unknown): void {
    const known = explain(error)
    this.#settleReady.reject(known)
    this.#tell({ kind: 'trouble', message: known.message, code: known.code })
  }

  #keep(write: () => Promise<void>): void {
    write().catch((error: unknown) => this.#fail(error))
  }

  #inTurn(work: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => this.#fail(error))
  }

  #tell(event: NodeEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #log(level: 'debug' | 'info' | 'warn', text: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#options.log?.(level, text, fields)
  }

  async #close(): Promise<void> {
    await this.#turn
    await this.#control?.close()
    await this.#closeData()
    this.#userspace?.close()
    await this.#device?.close()
    this.#settleReady.reject(new NetError('ERR_CLOSED', 'The node was closed.'))
  }

  async #closeData(): Promise<void> {
    const data = this.#data
    this.#data = undefined
    data?.engine.close()
    await data?.sock.close()
  }
}

/** Every room acts: for the first map, and for a data side made anew. */
const EVERYTHING: MapChanges = {
  added: [],
  removed: [],
  changed: [],
  self: true,
  wireguard: true,
  paths: true,
  relays: true,
  filter: true,
  dns: true,
  routes: true,
  ssh: true,
  status: true,
}

const NO_ANSWER: PingResult = {
  IP: '',
  NodeIP: '',
  NodeName: '',
  Err: '',
  LatencySeconds: 0,
  Endpoint: '',
  DERPRegionID: 0,
  DERPRegionCode: '',
  IsLocalIP: false,
}

const PING_FAILURES = {
  timeout: 'timed out',
  'no-path': 'there is no way to it now, neither direct nor through a relay',
  'unknown-peer': 'the peer is not in the map',
  'expired-peer': "the peer's key has expired",
  closed: 'the node was closed',
} as const

const CODES: Readonly<Record<string, NetErrorCode>> = {
  ERR_CONTROL_REFUSED: 'ERR_LOGIN_REFUSED',
  ERR_CONTROL_KEY_EXPIRED: 'ERR_LOGIN_NEEDED',
}

function explain(error: unknown): NetError {
  if (error instanceof NetError) return error
  if (error instanceof ControlError) {
    const code = CODES[error.code] ?? 'ERR_CONTROL_UNREACHABLE'
    const text =
      code === 'ERR_LOGIN_REFUSED' ? `The control server refused the login: ${error.message}` : error.message
    return new NetError(code, sentence(text), { cause: error })
  }
  const known = error instanceof Error ? error : new Error(String(error))
  const code = (known as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'ERR_PORT_IN_USE' : 'ERR_NODE_FAILED'
  return new NetError(code, sentence(known.message), { cause: error })
}

/** Returns the text as a sentence: a capital first, a full stop last. */
function sentence(text: string): string {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
