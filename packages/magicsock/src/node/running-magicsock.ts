// Machine, sockets and relay links joined: what openMagicSock returns.
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { type Clock, drive, type Driver, type RandomSource } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { DatagramSocket, SocketPorts, SocketTrouble } from '../datagram-socket.ts'
import type { DropCounters } from '../drops.ts'
import type { LocalEndpoint } from '../endpoints.ts'
import type { PathHabits } from '../habits.ts'
import type { Hop } from '../hop.ts'
import type { PathExplanation } from '../explain.ts'
import { MagicSock } from '../magicsock.ts'
import type { NetcheckReport } from '../netcheck-report.ts'
import type { Introduction } from '../introduction.ts'
import type { MagicSockEvent, MagicSockOutput, PeerPath, PingResult, PingWay } from '../output.ts'
import { type PeerConfig, type PeerId, type PeerStatus, UNKNOWN_PEER } from '../peer-config.ts'
import type { TunnelGrantor } from '../peer-relay/grantor.ts'
import type { PortMapping } from '../portmap/mapping.ts'
import type { RelayMap } from '../relay-map.ts'
import { DoorSockets } from './door-sockets.ts'
import { type Errand, runErrand } from './errands.ts'
import { lookUpRelays, needsLookUp } from './look-up.ts'
import type { MagicSockHandle, MagicSockKeys, OpenMagicSockOptions, RelayHandlers } from './open-magicsock.ts'
import { Nat64Sockets } from './nat64-sockets.ts'
import { NetworkMoves } from './network-moves.ts'
import { RelayLinks } from './relay-links.ts'

interface NetcheckWaiter {
  readonly resolve: (report: NetcheckReport) => void
  readonly reject: (error: Error) => void
}

/** A {@link MagicSock} at work. */
export class RunningMagicSock implements MagicSockHandle {
  readonly nodeKey: Uint8Array
  readonly #options: OpenMagicSockOptions
  readonly #clock: Clock
  readonly #sockets: Nat64Sockets
  readonly #machine: MagicSock
  readonly #links: RelayLinks
  readonly #doors: DoorSockets
  readonly #driver: Driver
  readonly #moves: NetworkMoves
  readonly #pings = new Map<number, (result: PingResult) => void>()
  readonly #datagramListeners = new Set<(bytes: Uint8Array, peer: PeerId) => void>()
  readonly #pathListeners = new Set<(peer: PeerId, path: PeerPath) => void>()
  #netchecks: NetcheckWaiter[] = []
  #relays: RelayMap | undefined
  #closed = false

  constructor(options: OpenMagicSockOptions, given: DatagramSocket) {
    const sockets = new Nat64Sockets(given)
    const { keys, relays, port, allowLoopback, clock = systemClock, random = systemRandom } = options
    const { nodeKey, discoPrivateKey = generatePrivateKey(random) } = keys ?? newKeys(random)
    this.nodeKey = nodeKey
    this.#options = options
    this.#clock = clock
    this.#sockets = sockets
    this.#doors = new DoorSockets(sockets, (bytes, from) => this.#receive(bytes, from))
    this.#links = new RelayLinks(relays?.connect, (region) => this.#handlersFor(region))
    this.#machine = new MagicSock({
      nodeKey,
      discoPrivateKey,
      underlay: {
        sendDatagram: (to, bytes) => this.#sendDatagram(to, bytes),
        sendRelay: (region, to, bytes) => this.#links.send(region, to, bytes),
      },
      random,
      now: clock.now(),
      allowLoopback: allowLoopback === true,
      fixedPort: port !== undefined && port !== 0,
      canMeasureRelays: options.measureRelay !== undefined,
      canPingRelays: true,
      canOpenDoors: options.portSearch !== false,
      canCheckCaptivePortal: options.checkCaptivePortal !== undefined,
      ...(options.x25519 === undefined ? {} : { x25519: options.x25519 }),
    })
    this.#driver = drive<MagicSockOutput>(this.#machine, clock, (output) => this.#perform(output))
    this.#moves = new NetworkMoves({
      options,
      clock,
      random,
      machine: this.#machine,
      sockets,
      links: this.#links,
      wake: () => this.#wake(),
    })
    sockets.listen({
      onDatagram: (bytes, from) => this.#receive(bytes, from),
      onTrouble: (trouble) => this.#hearTrouble(trouble),
    })
    this.#moves.tellAddresses()
    const map = relays === undefined ? new Map() : relays.map
    if (map !== undefined) this.setRelays(map)
    this.#moves.begin()
  }

  get introduction(): Introduction {
    const endpoints = this.endpoints.map((local) => local.endpoint)
    return { nodeKey: this.nodeKey, discoKey: this.discoKey, endpoints, homeRelay: this.homeRelay }
  }

  get discoKey(): Uint8Array {
    return this.#machine.discoKey
  }

  get ports(): SocketPorts {
    return this.#sockets.ports
  }

  get endpoints(): readonly LocalEndpoint[] {
    return this.#machine.endpoints
  }

  get homeRelay(): number {
    return this.#machine.homeRelay
  }

  get portMapping(): PortMapping | undefined {
    return this.#moves.portMapping
  }

  get report(): NetcheckReport | undefined {
    return this.#machine.report
  }

  get drops(): Readonly<DropCounters> {
    return this.#machine.drops
  }

  setPeers(peers: readonly PeerConfig[]): void {
    this.#machine.setPeers(peers, this.#clock.now())
    this.#wake()
  }

  setRelays(relays: RelayMap): void {
    this.#relays = relays
    if (!needsLookUp(relays)) return this.#useRelays(relays)
    void lookUpRelays(relays).then((found) => {
      if (this.#relays === relays && !this.#closed) this.#useRelays(found)
    })
  }

  setControlConnected(connected: boolean): void {
    this.#machine.setControlConnected(connected)
  }

  setHabits(habits: PathHabits): PathHabits {
    const wantsMtu = habits.probePathMtu === true
    // What the system has cut up would seem to have passed.
    const isWhole = this.#sockets.setDontFragment(wantsMtu)
    const kept = { ...habits, probePathMtu: wantsMtu && isWhole }
    this.#machine.setHabits(kept)
    return kept
  }

  learnDiscoKey(peer: PeerId, discoKey: Uint8Array): void {
    this.#machine.learnDiscoKey(peer, discoKey)
    this.#wake()
  }

  onDatagram(listener: (bytes: Uint8Array, peer: PeerId) => void): () => void {
    this.#datagramListeners.add(listener)
    return () => this.#datagramListeners.delete(listener)
  }

  onPath(listener: (peer: PeerId, path: PeerPath) => void): () => void {
    this.#pathListeners.add(listener)
    return () => this.#pathListeners.delete(listener)
  }

  send(peer: PeerId, datagram: Uint8Array): number {
    if (this.#closed) return 0
    const sent = this.#machine.send(peer, datagram, this.#clock.now())
    this.#wake()
    return sent
  }

  noteTraffic(peer: PeerId): Endpoint | undefined {
    if (this.#closed) return undefined
    const endpoint = this.#machine.noteTraffic(peer, this.#clock.now())
    this.#wake()
    return endpoint && this.#sockets.toOuter(endpoint)
  }

  straightPath(peer: PeerId): Endpoint | undefined {
    const endpoint = this.#closed ? undefined : this.#machine.straightPath(peer, this.#clock.now())
    return endpoint && this.#sockets.toOuter(endpoint)
  }

  attributeEndpoint(from: Endpoint, peer: PeerId): void {
    this.#machine.attributeEndpoint(this.#sockets.toInner(from), peer, this.#clock.now())
  }

  attribute(source: number, peer: PeerId): void {
    this.#machine.attribute(source, peer, this.#clock.now())
  }

  nameSource(source: number): Uint8Array | undefined {
    return this.#machine.nameSource(source)
  }

  sendToSource(source: number, datagram: Uint8Array): void {
    if (!this.#closed) this.#machine.sendToSource(source, datagram)
  }

  setPeerRelay(grantor: TunnelGrantor | undefined): void {
    this.#machine.setPeerRelay(grantor)
  }

  async noteAddressChange(lost: readonly IpAddress[]): Promise<void> {
    if (!this.#closed) await this.#moves.noteAddressChange(lost)
  }

  ping(peer: PeerId, over: PingWay = 'any', size = 0): Promise<PingResult> {
    if (this.#closed) return Promise.resolve({ ok: false, reason: 'closed' })
    const result = new Promise<PingResult>((resolve) => {
      this.#pings.set(this.#machine.ping(peer, this.#clock.now(), over, size), resolve)
    })
    this.#wake()
    return result
  }

  netcheck(): Promise<NetcheckReport> {
    if (this.#closed) return Promise.reject(closedError())
    const report = new Promise<NetcheckReport>((resolve, reject) => {
      this.#netchecks.push({ resolve, reject })
    })
    this.#machine.restun(this.#clock.now())
    this.#wake()
    return report
  }

  status(peer: PeerId): PeerStatus | undefined {
    return this.#machine.status(peer, this.#clock.now())
  }

  explainPath(peer: PeerId): PathExplanation | undefined {
    return this.#machine.explainPath(peer, this.#clock.now())
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#driver.close()
    this.#moves.stop()
    this.#links.closeAll()
    this.#doors.closeAll()
    for (const resolve of this.#pings.values()) resolve({ ok: false, reason: 'closed' })
    for (const { reject } of this.#netchecks) reject(closedError())
    await this.#moves.close()
    await this.#sockets.close()
  }

  #wake(): void {
    if (this.#machine.needsPoll) this.#driver.wake()
  }

  #perform(output: MagicSockOutput): void {
    switch (output.kind) {
      case 'datagram':
        return this.#sendDatagram(output.to, output.bytes)
      case 'close-door':
        return this.#doors.close(output.door)
      case 'relay':
        return this.#links.send(output.region, output.to, output.bytes)
      case 'connect-relay':
        return this.#links.open(output.region, output.region === this.#machine.homeRelay)
      case 'close-relay':
        return this.#links.close(output.region)
      case 'rebind':
        return void this.#moves.rebind()
      case 'measure-relay':
      case 'ping-relay':
      case 'icmp-ping':
      case 'check-captive-portal':
        return void this.#runErrand(output)
      case 'event':
        return this.#tell(output)
    }
  }

  #sendDatagram(to: Hop, bytes: Uint8Array): void {
    if (to.door === undefined) this.#sockets.send(bytes, to)
    else this.#doors.send(to.door, bytes, to)
  }

  #tell(event: MagicSockEvent): void {
    if (event.event === 'home-relay') this.#links.noteHome(event.region)
    if (event.event === 'ping') {
      this.#pings.get(event.ping)?.(event.result)
      this.#pings.delete(event.ping)
    }
    if (event.event === 'netcheck') {
      const waiting = this.#netchecks
      this.#netchecks = []
      for (const { resolve } of waiting) resolve(event.report)
    }
    if (event.event === 'path-changed') {
      for (const listener of this.#pathListeners) listener(event.peer, event.path)
    }
    this.#options.onEvent?.(event)
  }

  #receive(bytes: Uint8Array, from: Hop): void {
    if (this.#closed) return
    const peer = this.#machine.handleDatagram(bytes, from, this.#clock.now())
    if (peer !== 'consumed') {
      const header = this.#machine.lastHeaderLength
      const datagram = header === 0 ? bytes : bytes.subarray(header)
      this.#deliver(datagram, peer)
    }
    this.#wake()
  }

  #deliver(bytes: Uint8Array, peer: PeerId): void {
    this.#options.onPacket?.(bytes, peer, this.#machine.lastSource)
    if (peer === UNKNOWN_PEER) return
    for (const listener of this.#datagramListeners) listener(bytes, peer)
  }

  #handlersFor(region: number): RelayHandlers {
    return {
      onPacket: (source, bytes) => {
        if (this.#closed) return
        const peer = this.#machine.handleRelayPacket(region, source, bytes, this.#clock.now())
        if (peer !== 'consumed') this.#deliver(bytes, peer)
        this.#wake()
      },
      onPeerGone: (nodeKey) => this.#machine.handlePeerGone(region, nodeKey),
      onAlive: () => this.#machine.handleRelayAlive(region, this.#clock.now()),
      onLost: () => {
        if (this.#closed) return
        this.#machine.handleRelayLost(region, this.#clock.now())
        this.#wake()
      },
    }
  }

  #hearTrouble({ code, to }: SocketTrouble): void {
    this.#machine.handleSendError(code, to, this.#clock.now())
    this.#wake()
  }

  async #runErrand(errand: Errand): Promise<void> {
    await runErrand(errand, this.#machine, this.#clock, this.#options)
    if (!this.#closed) this.#wake()
  }

  #useRelays(relays: RelayMap): void {
    this.#machine.setRelays(relays, this.#clock.now())
    this.#wake()
  }
}

function newKeys(random: RandomSource): MagicSockKeys {
  return { nodeKey: publicKeyOf(generatePrivateKey(random)) }
}

function closedError(): Error {
  return new Error('this magicsock is closed')
}
