// Where packets of the overlay and the network meet: what the host sends passes the gate and is sealed, what peers send is
// opened, passes the gate and is given to the host. Either may happen on a thread of its own, and then only what the gate
// hands up comes here.
import { type DnsResolver, SERVICE_ADDRESS, SERVICE_ADDRESS_V6 } from '@mesh/dns'
import type { Crypto } from '@mesh/noise'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'
import { encodeIpPacket, type IpAddress, IpPacket, PROTOCOL_TCP, PROTOCOL_TSMP } from '@mesh/wire/ip'
import { decodeTsmp, encodeTsmp, type TsmpMessage, TSMP_REASONS } from '@mesh/wire/tsmp'
import { MESSAGE_INITIATION } from '@mesh/wire/wireguard'
import {
  type DataPlane,
  type DataPlaneOutputs,
  type PacketBatch,
  PacketBuffer,
  type PeerBatch,
  type PeerId,
  packetOf,
  type WireGuardEvent,
  WireGuardDevice,
} from '@mesh/wireguard'
import { ACCEPT, CHANGED, UP } from '@mesh/wireguard/arena'
import type { GateDrop } from './gate-drops.ts'
import { PacketGate, type GateSettings } from './packet-gate.ts'
import type { Terms } from './peer-terms.ts'
import { SelectionPool } from './packet-selection.ts'
import { type ForwardQuery, isForService, ServiceAddress } from './service-address.ts'
import { TunnelPings } from './tunnel-pings.ts'
import type { OverlayHost } from './userspace-host.ts'

/** No session lives longer, in milliseconds (WireGuard's REJECT-AFTER-TIME). */
const SESSION_LIFETIME = 180_000

/** Where sealed datagrams go: magicsock, which knows the paths. */
export interface EngineUnderlay {
  /** Sends one datagram (lent) to a peer by the best path there is; returns false when there is none. */
  send(peer: PeerId, datagram: Uint8Array): boolean
  /** Hears that authentic data of `peer` came from `source`. */
  attribute(source: number, peer: PeerId): void
  /** Returns bytes that name a source, so that one flooder is told from the rest; `undefined` when it is not known. */
  nameSource(source: number): Uint8Array | undefined
  /** Sends one datagram (lent) back to where another came from: a cookie reply. */
  sendToSource(source: number, datagram: Uint8Array): void
  /** Hears the disco key that a peer told inside the tunnel. */
  learnDiscoKey(peer: PeerId, discoKey: Uint8Array): void
}

/** What an engine is made of. */
export interface EngineOptions {
  /** This node's private key, 32 bytes. Copied. */
  readonly privateKey: Uint8Array
  readonly underlay: EngineUnderlay
  /** Answers the names of the mesh. */
  readonly dns: DnsResolver
  readonly clock: Clock
  readonly random: RandomSource
  /** Wall time in milliseconds since 1970. */
  readonly wallClock: () => number
  /** Primitives; the portable ones when left out. */
  readonly crypto?: Crypto
  /** Passes queries for other names on. */
  readonly forward?: ForwardQuery
  /** Takes what WireGuard tells. */
  readonly onEvent?: (event: WireGuardEvent) => void
  /** Makes the data plane; a portable one when left out. */
  readonly dataPlane?: (outputs: DataPlaneOutputs) => DataPlane
  /** Takes the settings of a gate that stands elsewhere, where the packets are moved; the engine's own is then not used. */
  readonly tellGate?: (change: GateSettings) => void
}

/** Why a packet was dropped at the gate or behind it; the rooms below count their own. */
export type EngineDrop = GateDrop | 'no-host' | 'no-path' | 'foreign-source'

/** WireGuard makes the next initiation after this many milliseconds; one that was not sent by then is stale. */
const REKEY_TIMEOUT = 5000

interface Unsent {
  readonly datagram: Uint8Array
  readonly until: number
}

/** Moves packets between the host and the peers. */
export class Engine {
  /** The WireGuard device; its peers are set by the reconciler. */
  readonly wireguard: WireGuardDevice
  readonly #gate = new PacketGate()
  readonly #tellFarGate: ((change: GateSettings) => void) | undefined
  readonly #drops = { 'no-host': 0, 'no-path': 0, 'foreign-source': 0 }
  readonly #underlay: EngineUnderlay
  readonly #clock: Clock
  readonly #driver: Driver
  readonly #pings: TunnelPings
  readonly #service: ServiceAddress
  readonly #selections = new SelectionPool()
  readonly #view = new IpPacket()
  readonly #answer = new PacketBuffer(1, 65_536)
  #own: readonly IpAddress[] = []
  #host: OverlayHost | undefined
  #answers: Uint8Array[] = []
  #looking = false
  readonly #unsent = new Map<PeerId, Unsent>()

  constructor(options: EngineOptions) {
    const { privateKey, random, wallClock, crypto, clock, underlay, dataPlane } = options
    this.#underlay = underlay
    this.#clock = clock
    this.#pings = new TunnelPings(random)
    const { dns, forward } = options
    const toHost = (packet: Uint8Array): void => this.#toHostSoon(packet)
    this.#service = new ServiceAddress({ dns, clock, random, toHost, forward })
    this.wireguard = new WireGuardDevice({
      privateKey,
      random,
      wallClock,
      ...(crypto ? { crypto } : {}),
      ...(dataPlane ? { dataPlane } : {}),
      outputs: {
        toOverlay: (batch) => this.#toOverlay(batch),
        toUnderlay: (peer, batch) => this.#toUnderlay(peer, batch),
        toSource: (source, datagram) => underlay.sendToSource(source, datagram),
        nameSource: (source) => underlay.nameSource(source),
        onSource: (peer, source, proof) => {
          if (proof === 'data') underlay.attribute(source, peer)
        },
      },
    })
    this.#driver = drive(this.wireguard, clock, (event) => options.onEvent?.(event))
    this.#tellFarGate = options.tellGate
    this.setOwnAddresses([])
  }

  /** Packets dropped by the engine and its own gate, by reason. */
  get drops(): Readonly<Record<EngineDrop, number>> {
    return { ...this.#gate.drops.snapshot(), ...this.#drops }
  }

  /** Sets who takes packets for this host. */
  setHost(host: OverlayHost): void {
    this.#host = host
  }

  /** Sets this node's own addresses: packets from here to here turn around. */
  setOwnAddresses(addresses: readonly IpAddress[]): void {
    this.#own = addresses
    this.#tellGate({ ownAddresses: [...addresses, SERVICE_ADDRESS, SERVICE_ADDRESS_V6] })
  }

  /** Replaces the rules and what counts as this node: the reconciler's. */
  setFilter(settings: Pick<GateSettings, 'rules' | 'localPrefixes'>): void {
    this.#tellGate(settings)
  }

  /** Sets the peers that know this node by another address, or may only answer: the reconciler's. */
  setTerms(terms: Terms): void {
    // What is made here passes no gate, and keeps to them all the same.
    this.#gate.configure({ terms })
    this.#tellFarGate?.({ terms })
  }

  /** Takes packets that the host sends. Their headers may be changed where they lie. */
  fromOverlay(batch: PacketBatch): void {
    const chosen = this.#selections.take(batch)
    this.#looking = true
    for (let index = 0; index < batch.count; index += 1) {
      const at = batch.offsets[index] ?? 0
      const length = batch.lengths[index] ?? 0
      const verdict = this.#gate.fromOverlay(batch.bytes, at, length)
      if (verdict === ACCEPT) {
        this.#gate.leave(batch.bytes, at, length)
        chosen.pick(at, length)
      }
      if (verdict === UP) this.#answerHost(packetOf(batch, index))
    }
    this.#looking = false
    if (chosen.count > 0) this.wireguard.fromOverlay(chosen, this.#clock.now())
    this.#selections.giveBack(chosen)
    this.#flushAnswers()
    this.#driver.wake()
  }

  /** Takes a packet (lent) that a gate elsewhere handed up: from the host (`peer` is -1), or from a peer. */
  takeUp(packet: Uint8Array, peer: PeerId): void {
    if (peer < 0) this.#answerHost(packet)
    else if (this.#isForHost(packet, peer)) this.#toHostSoon(packet)
    this.#flushAnswers()
  }

  /** Takes a WireGuard datagram from the network; `source` is handed back when it proves authentic. */
  fromUnderlay(datagram: Uint8Array, source: number): void {
    this.wireguard.handleDatagram(datagram, source, this.#clock.now())
    this.#driver.wake()
  }

  /** Does what changes of peers have left to do, and sends handshakes that had no path before. */
  wake(): void {
    for (const [peer, { datagram, until }] of this.#unsent) {
      const over = this.#clock.now() > until
      if (over || this.#underlay.send(peer, datagram)) this.#unsent.delete(peer)
    }
    this.#driver.wake()
  }

  /**
   * Hears that the machine has slept for so many milliseconds. Its clock may have stood still, and a session look alive that
   * the peer has ended: better none, and a handshake with the next packet.
   */
  noteSleep(slept: number): void {
    if (slept < SESSION_LIFETIME) return
    this.wireguard.resetPeers(this.#clock.now())
    this.wake()
  }

  /** Hears that a peer has restarted: its session is over, and what is sent next begins another. */
  resetPeer(peer: PeerId): void {
    this.wireguard.resetPeer(peer, this.#clock.now())
    this.wake()
  }

  /** Sends a ping through the tunnel; resolves with the round trip in milliseconds, or `undefined` after `timeout`. */
  ping(
    type: 'TSMP' | 'ICMP',
    source: IpAddress,
    destination: IpAddress,
    timeout: number,
  ): Promise<number | undefined> {
    return new Promise((resolve) => {
      const now = this.#clock.now()
      const settle = (latency: number | undefined): void => {
        cancel()
        if (!this.#pings.anyWait) this.#tellGate({ expectsEchoes: false })
        resolve(latency)
      }
      const { packet, giveUp } = this.#pings.start(type, source, destination, now, settle)
      const cancel = this.#clock.at(now + timeout, giveUp)
      this.#tellGate({ expectsEchoes: true })
      this.#sendPacket(packet)
    })
  }

  /** Wipes all keys and gives up the pings that wait; nothing moves any more. */
  close(): void {
    this.#driver.close()
    this.#pings.giveUpAll()
    this.#service.close()
    this.wireguard.close()
    this.#host = undefined
  }

  /** Handles what the gate keeps from the network: packets for the service addresses, and from here to here. */
  #answerHost(packet: Uint8Array): void {
    const view = this.#view
    if (!view.read(packet)) return
    if (!isForService(view)) return this.#toHostSoon(packet.slice())
    // A host that forwards for its network must not answer names for all of it.
    if (this.#own.some((own) => view.isFrom(own))) this.#service.handle(view)
    else this.#drops['foreign-source'] += 1
  }

  #toUnderlay(peer: PeerId, batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index += 1) {
      const datagram = packetOf(batch, index)
      if (!this.#underlay.send(peer, datagram)) this.#keepUnsent(peer, datagram)
    }
  }

  /** A new peer is often in the map before its endpoints are: its handshake then waits for them, and not for a timer. */
  #keepUnsent(peer: PeerId, datagram: Uint8Array): void {
    this.#drops['no-path'] += 1
    if (datagram[0] !== MESSAGE_INITIATION) return
    this.#unsent.set(peer, { datagram: datagram.slice(), until: this.#clock.now() + REKEY_TIMEOUT })
  }

  #toOverlay(batch: PeerBatch): void {
    const chosen = this.#selections.take(batch)
    for (let index = 0; index < batch.count; index += 1) {
      const at = batch.offsets[index] ?? 0
      const length = batch.lengths[index] ?? 0
      const peer = batch.peers[index] ?? -1
      const verdict = this.#gate.toOverlay(batch.bytes, at, length)
      const goesOn = verdict === ACCEPT || verdict === CHANGED
      if (goesOn || (verdict === UP && this.#isForHost(packetOf(batch, index), peer))) chosen.pick(at, length)
    }
    if (chosen.count > 0) this.#toHost(chosen)
    this.#selections.giveBack(chosen)
  }

  /** Handles what the gate has handed up; returns whether the host is to have it all the same. */
  #isForHost(packet: Uint8Array, peer: PeerId): boolean {
    const view = this.#view
    if (!view.read(packet)) return false
    if (view.protocol === PROTOCOL_TSMP) this.#handleTsmp(view, peer)
    else if (view.protocol === PROTOCOL_TCP) this.#tellRefused()
    else return !this.#pings.handleEcho(view, this.#clock.now())
    return false
  }

  #handleTsmp(view: IpPacket, peer: PeerId): void {
    const message = decodeTsmp(view.payload)
    if (message?.kind === 'ping') {
      this.#sendTsmp(view, { kind: 'pong', data: message.data, peerApiPort: 0 })
    }
    if (message?.kind === 'pong') this.#pings.handlePong(message, this.#clock.now())
    if (message?.kind === 'disco-key') this.#underlay.learnDiscoKey(peer, message.discoKey.slice())
  }

  /** Tells the opener of a connection that the gate has refused. */
  #tellRefused(): void {
    const view = this.#view
    const { sourcePort, destinationPort } = view
    const reason = TSMP_REASONS.acl
    this.#sendTsmp(view, {
      kind: 'rejected',
      protocol: PROTOCOL_TCP,
      reason,
      sourcePort,
      destinationPort,
      maybeBroken: false,
    })
  }

  /** Sends a TSMP message back to where the packet in view came from. */
  #sendTsmp(view: IpPacket, message: TsmpMessage): void {
    const header = { source: view.destination, destination: view.source, protocol: PROTOCOL_TSMP }
    this.#sendPacket(encodeIpPacket(header, encodeTsmp(message)))
  }

  #tellGate(change: GateSettings): void {
    if (this.#tellFarGate) this.#tellFarGate(change)
    else this.#gate.configure(change)
  }

  #sendPacket(packet: Uint8Array): void {
    this.#gate.leave(packet, 0, packet.length)
    this.wireguard.handlePacket(packet, this.#clock.now())
    this.#driver.wake()
  }

  #toHost(batch: PacketBatch): void {
    if (this.#host) this.#host.write(batch)
    else this.#drops['no-host'] += batch.count
  }

  /** An answer made while packets of the host are looked at waits until that is done. */
  #toHostSoon(packet: Uint8Array): void {
    this.#answers.push(packet)
    if (!this.#looking) this.#flushAnswers()
  }

  #flushAnswers(): void {
    const answers = this.#answers
    if (answers.length === 0) return
    this.#answers = []
    for (const packet of answers) {
      this.#answer.clear()
      if (this.#answer.push(packet)) this.#toHost(this.#answer)
    }
  }
}
