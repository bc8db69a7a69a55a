// The machine: knows every peer's paths and sends each packet over the best, keeps the home relay, finds out
// what the network looks like, and speaks disco. Stands where WireGuard's UDP socket would be.
import type { Machine, RandomSource } from '@mesh/sansio'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { SocketPorts } from './datagram-socket.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type DropCounters, noDrops } from './drops.ts'
import type { LocalEndpoint } from './endpoints.ts'
import type { PathExplanation } from './explain.ts'
import type { PathHabits } from './habits.ts'
import type { Hop } from './hop.ts'
import { type Parts, openParts } from './parts.ts'
import type { NetcheckReport } from './netcheck-report.ts'
import type { MagicSockOptions } from './options.ts'
import type { MagicSockOutput, PingWay } from './output.ts'
import type { PeerConfig, PeerId, PeerStatus } from './peer-config.ts'
import { explainPeer, statusOf } from './peer-path.ts'
import type { TunnelGrantor } from './peer-relay/grantor.ts'
import type { Peer } from './peer.ts'
import { checkKeyLength } from './peer-set.ts'
import type { PortMapServices } from './portmap/mapping.ts'
import type { Receiver } from './receiver.ts'
import type { RelayMap } from './relay-map.ts'
import { ERROR_REBIND_THROTTLE, meansBrokenSocket, meansUnreachable } from './send-errors.ts'
import { isRelaySource } from './sources.ts'

/**
 * Finds and keeps the best path to each peer.
 *
 * Control work comes out of {@link MagicSock.poll}; data packets leave by the {@link Underlay} in the very call.
 * After a call that may have left work behind, {@link MagicSock.needsPoll} says so: a loop that sends many packets
 * reads that flag instead of polling once a packet.
 *
 * Endpoints and keys handed in are kept: they must not change afterwards. Packets are only read during the call.
 */
export class MagicSock implements Machine<MagicSockOutput> {
  readonly #random: RandomSource
  readonly #parts: Parts
  /** Whom each packet goes through. */
  readonly #dispatcher: Dispatcher
  readonly #receiver: Receiver
  #habits: PathHabits = {}
  readonly #drops = noDrops()
  readonly #out: MagicSockOutput[] = []
  #rebindAt = -Infinity
  /** A timer may have been set since `pollTimeout` was read. */
  #rearm = true

  /** @throws RangeError when a key is not 32 bytes. */
  constructor(options: MagicSockOptions) {
    const { nodeKey, discoPrivateKey, random } = options
    checkKeyLength(nodeKey, 'nodeKey')
    checkKeyLength(discoPrivateKey, 'discoPrivateKey')
    this.#random = random
    this.#parts = openParts(options, {
      put: (output) => this.#out.push(output),
      drop: (reason) => (this.#drops[reason] += 1),
      rearm: () => (this.#rearm = true),
      habits: () => this.#habits,
      noteSurroundings: (report, changed, now) => this.#noteSurroundings(report, changed, now),
      noteRemoved: (peer) => this.#forget(peer),
    })
    this.#dispatcher = this.#parts.dispatcher
    this.#receiver = this.#parts.receiver
  }

  /** Our disco public key, for control to hand to the peers. */
  get discoKey(): Uint8Array {
    return this.#parts.directory.ownKey
  }

  /** The endpoints advertised now. */
  get endpoints(): readonly LocalEndpoint[] {
    return this.#parts.surroundings.endpoints
  }

  /** The home relay region; 0 while there is none. */
  get homeRelay(): number {
    return this.#parts.relays.home
  }

  /** The last finished netcheck. */
  get report(): NetcheckReport | undefined {
    return this.#parts.surroundings.report
  }

  /** Whether there are outputs to poll, or a timeout that may have moved since {@link MagicSock.pollTimeout} was read. */
  get needsPoll(): boolean {
    return this.#rearm || this.#out.length > 0
  }

  /** Packets thrown away, by reason. */
  get drops(): Readonly<DropCounters> {
    return this.#drops
  }

  /**
   * Replaces the set of peers. What is known of the paths of those that stay is kept.
   *
   * @throws RangeError when a key is not 32 bytes or an id is no {@link PeerId}.
   */
  setPeers(peers: readonly PeerConfig[], now: number): void {
    this.#parts.peers.replace(peers)
    this.#parts.otherWays.setPeers(this.#parts.peers.values())
    for (const peer of this.#parts.peers.values()) this.#knowPlainSources(peer)
    if (peers.length > 0) this.#parts.surroundings.wake(now)
    this.#rearm = true
  }

  /** Replaces the relay map. Until there is one, even an empty one, no endpoints are told. */
  setRelays(relays: RelayMap, now: number): void {
    this.#parts.relays.setMap(relays)
    this.#parts.surroundings.setRelays(relays, now)
    this.#rearm = true
  }

  /**
   * Says where the sockets are bound and which addresses the machine has, already chosen by the rules of section 5.8
   * (see {@link selectLocalAddresses}).
   */
  setLocalAddresses(addresses: readonly IpAddress[], ports: SocketPorts, now: number): void {
    const loopback = this.#parts.surroundings.loopback
    this.#parts.surroundings.setLocal(addresses, ports, now)
    // Addresses once refused may be candidates now.
    if (loopback !== this.#parts.surroundings.loopback)
      for (const peer of this.#parts.peers.values()) peer.update(peer.config)
    this.#rearm = true
  }

  /** Takes what a {@link PortMapper} has got: peers are told of `external`, and the report of what the gateway can. */
  setPortMapping(external: Endpoint | undefined, services: PortMapServices, now: number): void {
    this.#parts.surroundings.setPortMapping(external, services, now)
    this.#rearm = true
  }

  /** Says whether control can be asked; while it cannot, a home once chosen stays. Initially it can. */
  setControlConnected(connected: boolean): void {
    this.#parts.relays.isControlConnected = connected
  }

  /** Says how paths are kept from now on. Initially by no habit. */
  setHabits(habits: PathHabits): void {
    this.#habits = habits
  }

  /** Takes a disco key that a peer has told inside its own tunnel (section 4.9); the session goes on. */
  learnDiscoKey(peer: PeerId, discoKey: Uint8Array): void {
    const known = this.#parts.peers.get(peer)
    if (known !== undefined) this.#parts.peers.learnDiscoKey(known, discoKey)
    this.#rearm = true
  }

  /**
   * Sends one WireGuard datagram to a peer, at once, by whatever path there is, and looks for a better one.
   *
   * @returns A set of {@link SENT} bits.
   */
  send(peer: PeerId, datagram: Uint8Array, now: number): number {
    return this.#dispatcher.send(peer, datagram, now)
  }

  /**
   * Notes that datagrams went to a peer by a way of the owner's own, such as a packet thread, so that its path is kept alive.
   *
   * @returns The endpoint that the next ones may go straight to; `undefined` when they must go by {@link MagicSock.send}.
   */
  noteTraffic(peer: PeerId, now: number): Endpoint | undefined {
    return this.#dispatcher.noteTraffic(this.#parts.peers.get(peer), now)
  }

  /** Returns what {@link MagicSock.noteTraffic} would, and notes nothing. */
  straightPath(peer: PeerId, now: number): Endpoint | undefined {
    return this.#dispatcher.straightPath(this.#parts.peers.get(peer), now)
  }

  /**
   * Takes a UDP datagram. `from` is kept; the same source is recognised fastest when it is the same object.
   *
   * @returns `'consumed'` for STUN, disco and what is dropped; else the bytes are WireGuard's: the number of the peer
   * that the source belongs to, or {@link UNKNOWN_PEER} when it belongs to nobody yet. A claim, not a proof: WireGuard authenticates.
   */
  handleDatagram(bytes: Uint8Array, from: Hop, now: number): PeerId | 'consumed' {
    return this.#receiver.handleDatagram(bytes, from, now)
  }

  /** How many bytes of the UDP datagram taken last stand before WireGuard's: 0, or a peer relay's header. */
  get lastHeaderLength(): number {
    return this.#receiver.headerLength
  }

  /**
   * Names the source of the WireGuard datagram taken last, as a number to hand back to {@link MagicSock.attribute},
   * {@link MagicSock.nameSource} and {@link MagicSock.sendToSource}. 0 before there was any.
   */
  get lastSource(): number {
    return this.#parts.sources.last
  }

  /**
   * Says that WireGuard has authenticated a packet of `peer` from this source (section 5.9). The source is this peer's
   * from now on when something comes from it; nothing is ever sent there for that reason.
   */
  attribute(source: number, peer: PeerId, now: number): void {
    const from = this.#parts.sources.sourceOf(source)
    if (from !== undefined && !isRelaySource(from)) this.attributeEndpoint(from, peer, now)
  }

  /** As {@link MagicSock.attribute}, for a source that the owner's packet thread heard the peer from. */
  attributeEndpoint(from: Hop, peer: PeerId, now: number): void {
    const known = this.#parts.peers.get(peer)
    if (known === undefined) return
    this.#parts.sources.assign(from, peer)
    known.noteAuthentic(from, now)
  }

  /**
   * Returns bytes that name a source: its address and port, or its relay and node key. Good for telling one sender from
   * the rest. `undefined` for a number that is too old.
   */
  nameSource(source: number): Uint8Array | undefined {
    return this.#parts.sources.name(source)
  }

  /**
   * Sends one datagram (lent) back to where another came from, and nowhere else: for what must show that the sender
   * receives where it sends from, such as a cookie reply. Returns false for a number that is too old.
   */
  sendToSource(source: number, datagram: Uint8Array): boolean {
    const from = this.#parts.sources.sourceOf(source)
    if (from === undefined) return false
    this.#parts.sender.sendToSource(from, datagram)
    return true
  }

  /**
   * Takes a packet that came through a relay region.
   *
   * @param source - The sender's node public key, as the relay vouches for it.
   * @returns The peer whose WireGuard datagram it is, or `'consumed'`.
   */
  handleRelayPacket(region: number, source: Uint8Array, bytes: Uint8Array, now: number): PeerId | 'consumed' {
    this.#parts.relays.noteHeard(region, now)
    const peer = bytes.length === 0 ? undefined : this.#parts.peers.byKey(source)
    if (peer !== undefined) this.#parts.relays.notePeerHeard(region, peer.id)
    return this.#receiver.handleRelayed(bytes, region, peer, now)
  }

  /** Hears that a region's relay is alive: connected, or anything came from it. */
  handleRelayAlive(region: number, now: number): void {
    this.#parts.relays.noteHeard(region, now)
  }

  /** Hears how long a region took to answer over HTTPS; `undefined` when it did not. */
  handleRelayMeasured(region: number, latency: number | undefined, now: number): void {
    this.#parts.surroundings.handleRelayMeasured(region, latency, now)
    this.#rearm = true
  }

  /** Hears how long the relay of a region took to answer by ICMP; `undefined` when it did not. */
  handleRelayPinged(region: number, latency: number | undefined, now: number): void {
    this.#parts.surroundings.handleRelayPinged(region, latency, now)
    this.#rearm = true
  }

  /** Hears how long the host of an endpoint took to answer by ICMP; `undefined` when it did not. */
  handleIcmp(peer: PeerId, endpoint: Endpoint, latency: number | undefined): void {
    this.#parts.peers.get(peer)?.plain.handleIcmp(endpoint, latency)
  }

  /** Hears whether there is a captive portal; `undefined` when that could not be told. */
  handleCaptivePortal(captive: boolean | undefined, now: number): void {
    this.#parts.surroundings.handleCaptivePortal(captive, now)
    this.#rearm = true
  }

  /** Says which peer relay this node runs, for peers that may use it and for itself; `undefined` for none. */
  setPeerRelay(grantor: TunnelGrantor | undefined): void {
    this.#parts.otherWays.setGrantor(grantor)
  }

  /** Hears that a relay does not have this node (any more). */
  handlePeerGone(region: number, nodeKey: Uint8Array): void {
    const peer = this.#parts.peers.byKey(nodeKey)
    if (peer !== undefined) this.#parts.relays.forgetRoute(region, peer.id)
  }

  /** Hears that the connection to a region broke; the owner is reconnecting. */
  handleRelayLost(region: number, now: number): void {
    this.#parts.relays.forgetRoutes(region)
    this.#parts.surroundings.noteTrouble(now)
    this.#rearm = true
  }

  /** Hears that a UDP send failed, with the system's name for the failure. */
  handleSendError(code: string, to: Endpoint | undefined, now: number): void {
    if (meansUnreachable(code) && to !== undefined) {
      for (const peer of this.#parts.timed) peer.handleUnreachable(to)
    }
    if (!meansBrokenSocket(code) || now < this.#rebindAt + ERROR_REBIND_THROTTLE) return
    this.#rebindAt = now
    this.#out.push({ kind: 'rebind' })
  }

  /** Hears that the machine's network is another one: all paths are forgotten and looked for anew. */
  handleNetworkChange(now: number): void {
    for (const peer of this.#parts.peers.values()) {
      peer.forgetPaths()
      this.#parts.otherWays.forgetPeer(peer)
    }
    this.#lookAnew(now)
  }

  /**
   * Hears that the machine has slept (see `SleepWatch` for how one knows): its clock may have stood still, so that paths look
   * fresh that nobody has kept open. None is believed in until it answers, and everything is looked up anew.
   */
  handleWake(now: number): void {
    for (const peer of this.#parts.peers.values()) peer.doubt()
    this.#lookAnew(now)
  }

  /**
   * Pings a peer by disco over its relay and every address it may have, the best path alone when that is trusted;
   * or over its relay alone, to see how that does.
   *
   * @param size - Bytes of the disco packet, to see whether such a packet passes: the answer to one is as small as ever.
   * As small as can be when 0; one that is trusted but has not carried such packets is no longer the only way tried.
   * @returns The number of the ping; the event `ping` that bears it says how it ended, within 5 s.
   * @throws RangeError when the size is not a whole number, or more than `MAX_PING_SIZE`.
   */
  ping(peer: PeerId, now: number, over: PingWay = 'any', size = 0): number {
    const to = this.#parts.peers.get(peer)
    const region = to === undefined ? 0 : this.#parts.relays.route(to.id, to.config.homeRelay, now)
    const asked = this.#parts.asked.ask(peer, to, { over, size, region }, now)
    this.#dispatcher.lastSend = now
    this.#rearm = true
    return asked
  }

  /** Asks every STUN server now; an event `netcheck` follows. */
  restun(now: number): void {
    this.#parts.surroundings.look(true, now)
    this.#rearm = true
  }

  /** Returns how a peer stands, or `undefined` for one that is not known. */
  status(peer: PeerId, now: number): PeerStatus | undefined {
    const known = this.#parts.peers.get(peer)
    return known && statusOf(known, now)
  }

  /** Returns why a peer has the path it has, and what would make it direct; `undefined` for one that is not known. */
  explainPath(peer: PeerId, now: number): PathExplanation | undefined {
    const known = this.#parts.peers.get(peer)
    return (
      known &&
      explainPeer(known, this.#parts.relays, this.#parts.surroundings, this.#parts.otherWays.peerRelays, now)
    )
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#rearm = true
    this.#parts.conversation.handleTimeout(now)
    this.#parts.asked.handleTimeout(now)
    for (const peer of this.#parts.timed) {
      peer.handleTimeout(now)
      if (peer.timeoutAt === Infinity) this.#parts.timed.delete(peer)
    }
    this.#parts.otherWays.handleTimeout(now)
    this.#parts.surroundings.handleTimeout(now)
    this.#parts.relays.handleTimeout(now)
  }

  /** Returns the next thing to do. */
  poll(): MagicSockOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link MagicSock.handleTimeout}. */
  pollTimeout(): number {
    this.#rearm = false
    let at = Math.min(
      this.#parts.conversation.pollTimeout(),
      this.#parts.asked.pollTimeout(),
      this.#parts.otherWays.pollTimeout(),
      this.#parts.surroundings.pollTimeout(),
      this.#parts.relays.pollTimeout(),
    )
    for (const peer of this.#parts.timed) at = Math.min(at, peer.timeoutAt)
    return at
  }

  /** Nothing vouches for their addresses but the configuration. */
  #knowPlainSources({ config }: Peer): void {
    if (config.isWireGuardOnly !== true) return
    for (const endpoint of config.endpoints) this.#parts.sources.assign(endpoint, config.id)
  }

  #lookAnew(now: number): void {
    this.#parts.surroundings.forget()
    this.#parts.surroundings.look(true, now)
    this.#rearm = true
  }

  #forget(peer: Peer): void {
    this.#parts.conversation.forgetPeer(peer)
    this.#parts.sources.forgetPeer(peer.id)
    this.#parts.relays.forgetPeer(peer.id)
    this.#parts.timed.delete(peer)
    this.#parts.otherWays.forgetPeer(peer)
    this.#parts.calls.forgetPeer(peer)
    this.#parts.surroundings.forgetPeer(peer.id)
    this.#parts.asked.endAll(peer.id, { ok: false, reason: 'unknown-peer' })
  }

  #noteSurroundings(report: NetcheckReport, endpointsChanged: boolean, now: number): void {
    this.#out.push({ kind: 'event', event: 'netcheck', report })
    if (endpointsChanged) {
      this.#out.push({ kind: 'event', event: 'endpoints', endpoints: this.#parts.surroundings.endpoints })
    }
    if (this.#parts.relays.moveHome(report.preferredRelay, this.#random, now)) {
      this.#out.push({ kind: 'event', event: 'home-relay', region: this.#parts.relays.home })
    }
    this.#parts.calls.makeWaiting(now)
  }
}
