// Where packets of the overlay and the network meet: what the host sends is looked at and sealed, what peers send is
// opened, judged by the filter and given to the host. The order of the steps is that of data-plane.md section 7.7.
import type { DnsResolver } from '@mesh/dns'
import type { Crypto } from '@mesh/noise'
import { PacketFilter } from '@mesh/policy'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'
import {
  addressesEqual,
  encodeIpPacket,
  type IpAddress,
  IpPacket,
  PROTOCOL_TCP,
  PROTOCOL_TSMP,
  TCP_ACK,
  TCP_SYN,
} from '@mesh/wire/ip'
import { decodeTsmp, encodeTsmp, type TsmpMessage, TSMP_REASONS } from '@mesh/wire/tsmp'
import { MESSAGE_INITIATION } from '@mesh/wire/wireguard'
import {
  type PacketBatch,
  PacketBuffer,
  type PeerBatch,
  type PeerId,
  packetOf,
  type WireGuardEvent,
  WireGuardDevice,
} from '@mesh/wireguard'
import { SelectionPool } from './packet-selection.ts'
import { type ForwardQuery, ServiceAddress } from './service-address.ts'
import { TunnelPings } from './tunnel-pings.ts'
import type { OverlayHost } from './userspace-host.ts'

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
}

/** Why the engine itself dropped a packet; the rooms below count their own. */
export type EngineDrop = 'malformed' | 'tsmp-from-host' | 'no-host' | 'no-path'

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
  /** The packet filter; its rules are set by the reconciler. */
  readonly filter = new PacketFilter()
  /** Packets dropped, by reason. */
  readonly drops: Record<EngineDrop, number> = {
    malformed: 0,
    'tsmp-from-host': 0,
    'no-host': 0,
    'no-path': 0,
  }
  readonly #underlay: EngineUnderlay
  readonly #clock: Clock
  readonly #driver: Driver
  readonly #pings: TunnelPings
  readonly #service: ServiceAddress
  readonly #selections = new SelectionPool()
  readonly #view = new IpPacket()
  readonly #answer = new PacketBuffer(1, 65_536)
  #host: OverlayHost | undefined
  #own: readonly IpAddress[] = []
  #answers: Uint8Array[] = []
  #looking = false
  readonly #unsent = new Map<PeerId, Unsent>()

  constructor(options: EngineOptions) {
    const { privateKey, random, wallClock, crypto, clock, underlay } = options
    this.#underlay = underlay
    this.#clock = clock
    this.#pings = new TunnelPings(random)
    this.#service = new ServiceAddress(options.dns, (packet) => this.#toHostSoon(packet), options.forward)
    this.wireguard = new WireGuardDevice({
      privateKey,
      random,
      wallClock,
      ...(crypto ? { crypto } : {}),
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
  }

  /** Sets who takes packets for this host. */
  setHost(host: OverlayHost): void {
    this.#host = host
  }

  /** Sets this node's own addresses: packets from here to here turn around. */
  setOwnAddresses(addresses: readonly IpAddress[]): void {
    this.#own = addresses
  }

  /** Takes packets that the host sends. */
  fromOverlay(batch: PacketBatch): void {
    const chosen = this.#selections.take(batch)
    this.#looking = true
    for (let index = 0; index < batch.count; index += 1) {
      const packet = packetOf(batch, index)
      if (this.#goesOut(packet)) chosen.pick(batch.offsets[index] ?? 0, packet.length)
    }
    this.#looking = false
    if (chosen.count > 0) this.wireguard.fromOverlay(chosen, this.#clock.now())
    this.#selections.giveBack(chosen)
    this.#flushAnswers()
    this.#driver.wake()
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
        resolve(latency)
      }
      const { packet, giveUp } = this.#pings.start(type, source, destination, now, settle)
      const cancel = this.#clock.at(now + timeout, giveUp)
      this.#sendPacket(packet)
    })
  }

  /** Wipes all keys and gives up the pings that wait; nothing moves any more. */
  close(): void {
    this.#driver.close()
    this.#pings.giveUpAll()
    this.wireguard.close()
    this.#host = undefined
  }

  #goesOut(packet: Uint8Array): boolean {
    const view = this.#view
    if (!view.read(packet)) return this.#drop('malformed')
    if (this.#service.handle(view)) return false
    // Only the daemon speaks TSMP; a program that forges it would speak in our name (checklist F6).
    if (view.protocol === PROTOCOL_TSMP) return this.#drop('tsmp-from-host')
    if (this.#isOwn(view.destination)) {
      this.#answers.push(packet.slice())
      return false
    }
    return this.filter.fromOverlay(packet) === 'accept'
  }

  #toUnderlay(peer: PeerId, batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index += 1) {
      const datagram = packetOf(batch, index)
      if (!this.#underlay.send(peer, datagram)) this.#keepUnsent(peer, datagram)
    }
  }

  /** A new peer is often in the map before its endpoints are: its handshake then waits for them, and not for a timer. */
  #keepUnsent(peer: PeerId, datagram: Uint8Array): void {
    this.drops['no-path'] += 1
    if (datagram[0] !== MESSAGE_INITIATION) return
    this.#unsent.set(peer, { datagram: datagram.slice(), until: this.#clock.now() + REKEY_TIMEOUT })
  }

  #toOverlay(batch: PeerBatch): void {
    const chosen = this.#selections.take(batch)
    for (let index = 0; index < batch.count; index += 1) {
      const packet = packetOf(batch, index)
      if (this.#comesIn(packet, batch.peers[index] ?? -1))
        chosen.pick(batch.offsets[index] ?? 0, packet.length)
    }
    if (chosen.count > 0) this.#toHost(chosen)
    this.#selections.giveBack(chosen)
  }

  #comesIn(packet: Uint8Array, peer: PeerId): boolean {
    const view = this.#view
    if (!view.read(packet)) return this.#drop('malformed')
    if (view.protocol === PROTOCOL_TSMP && view.known) {
      this.#handleTsmp(view, peer)
      return false
    }
    if (this.#pings.handleEcho(view, this.#clock.now())) return false
    const verdict = this.filter.toOverlay(packet)
    if (verdict === 'no-rule') this.#tellRefused()
    return verdict === 'accept'
  }

  #handleTsmp(view: IpPacket, peer: PeerId): void {
    const message = decodeTsmp(view.payload)
    if (message?.kind === 'ping') {
      this.#sendTsmp(view, { kind: 'pong', data: message.data, peerApiPort: 0 })
    }
    if (message?.kind === 'pong') this.#pings.handlePong(message, this.#clock.now())
    if (message?.kind === 'disco-key') this.#underlay.learnDiscoKey(peer, message.discoKey.slice())
  }

  /** A refused IPv4 connection is told so at once, instead of being left to time out (checklist F4). */
  #tellRefused(): void {
    const view = this.#view
    const opens = (view.tcpFlags & (TCP_SYN | TCP_ACK)) === TCP_SYN
    if (view.version !== 4 || view.protocol !== PROTOCOL_TCP || !opens) return
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

  #sendPacket(packet: Uint8Array): void {
    this.wireguard.handlePacket(packet, this.#clock.now())
    this.#driver.wake()
  }

  #isOwn(address: IpAddress): boolean {
    for (const own of this.#own) if (addressesEqual(own, address)) return true
    return false
  }

  #toHost(batch: PacketBatch): void {
    if (this.#host) this.#host.write(batch)
    else this.drops['no-host'] += batch.count
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

  #drop(reason: EngineDrop): false {
    this.drops[reason] += 1
    return false
  }
}
