// A whole node in the simulated network: the real magicsock, the real WireGuard over it, and the real port mapper, on a
// host's sockets and at the relays. Only what the kernel and control would do is done here.
import {
  type Gateway,
  type Hop,
  MagicSock,
  type MagicSockEvent,
  type MagicSockOutput,
  type PeerConfig,
  PortMapper,
  type PortMapperOutput,
  type RelayMap,
} from '@mesh/magicsock'
import { drive, type Driver, seededRandom } from '@mesh/sansio'
import type { RelayPort, SimHost, SimNet, SimRelay, SimSocket } from '@mesh/simnet'
import { encodeIpPacket, PROTOCOL_UDP } from '@mesh/wire/ip'
import { type PacketBatch, packetOf, WireGuardDevice } from '@mesh/wireguard'
import { keyPair, rememberedX25519, tunnelCrypto } from './keys.ts'
import { SleepyClock } from './sleepy-clock.ts'

/** How a node begins. */
export interface SimNodeOptions {
  /** Its number, from 1 on: names its keys, its overlay address and its port. */
  readonly id: number
  readonly net: SimNet
  readonly host: SimHost
  /** The relays by region. */
  readonly relays: ReadonlyMap<number, SimRelay>
  /** What control says of them. */
  readonly relayMap: RelayMap
  /** Whether it asks its gateway for a port mapping. */
  readonly mapsPorts?: boolean
  /** Whether it searches for the ports of hard NATs, and opens doors behind one. */
  readonly opensDoors?: boolean
  /** Whether it pings no path that serves without being asked. */
  readonly isSilent?: boolean
}

/** Hears what a node does. */
export interface NodeWatch {
  /** A WireGuard datagram leaves: by the bits of `SENT`. */
  onSent?(from: SimNode, to: number, datagram: Uint8Array, sent: number): void
  /** A WireGuard datagram has come. */
  onArrived?(at: SimNode, datagram: Uint8Array, via: 'udp' | 'relay'): void
  /** A packet of a peer's was accepted: authentic, new, and from its address. */
  onAccepted?(at: SimNode, peer: number, number: number): void
  /** Its gateway has mapped its port, or has no more. */
  onMapped?(at: SimNode): void
  /** Magicsock has news. */
  onNews?(at: SimNode, event: MagicSockEvent): void
}

const OVERLAY_PREFIX = [100, 64, 0] as const
/** Bytes of an IPv4 header; the number that a packet carries stands behind it. */
const NUMBER = 20

/** One node. */
export class SimNode {
  readonly id: number
  readonly nodeKey: Uint8Array
  readonly host: SimHost
  readonly sock: MagicSock
  readonly clock: SleepyClock
  readonly #net: SimNet
  readonly #relays: ReadonlyMap<number, SimRelay>
  readonly #watch: NodeWatch
  readonly #device: WireGuardDevice
  readonly #mapper: PortMapper | undefined
  readonly #socket: SimSocket
  readonly #mapperSocket: SimSocket
  readonly #doors = new Map<number, SimSocket>()
  readonly #links = new Map<number, RelayPort>()
  readonly #wanted = new Set<number>()
  readonly #drivers: Driver[] = []

  constructor(options: SimNodeOptions, watch: NodeWatch = {}) {
    const { id, net, host, relays, relayMap } = options
    const random = seededRandom(id)
    const { privateKey, publicKey } = keyPair(2 * id)
    this.id = id
    this.host = host
    this.nodeKey = publicKey
    this.clock = new SleepyClock(net.clock)
    this.#net = net
    this.#relays = relays
    this.#watch = watch
    this.#socket = host.socket(41_640 + id)
    this.#mapperSocket = host.socket()
    this.sock = new MagicSock({
      nodeKey: publicKey,
      discoPrivateKey: keyPair(2 * id + 1).privateKey,
      underlay: {
        sendDatagram: (to, bytes) => this.#socketFor(to).send(to, bytes),
        sendRelay: (region, to, bytes) => this.#linkTo(region)?.send(to, bytes),
      },
      random,
      x25519: rememberedX25519,
      canOpenDoors: options.opensDoors === true,
      now: this.clock.now(),
    })
    this.sock.setHabits({ silentDisco: options.isSilent === true })
    this.#device = this.#openDevice(privateKey)
    this.#mapper = options.mapsPorts === true ? new PortMapper(random) : undefined
    this.#drivers.push(drive<MagicSockOutput>(this.sock, this.clock, (output) => this.#perform(output)))
    this.#drivers.push(drive(this.#device, this.clock, () => undefined))
    if (this.#mapper !== undefined)
      this.#drivers.push(drive<PortMapperOutput>(this.#mapper, this.clock, (output) => this.#map(output)))
    this.#socket.onDatagram = (bytes, from) => this.#receive(bytes, from)
    this.#mapperSocket.onDatagram = (bytes, from) => {
      this.#mapper?.handleDatagram(bytes, from, this.clock.now())
      this.wake()
    }
    this.sock.setRelays(relayMap, this.clock.now())
    this.#bind()
  }

  /** What control would tell others. */
  config(): PeerConfig {
    const endpoints = this.sock.endpoints.map((local) => local.endpoint)
    const { homeRelay, discoKey } = this.sock
    return { id: this.id, nodeKey: this.nodeKey, discoKey, endpoints, homeRelay }
  }

  /** Hears from control who the peers are. */
  setPeers(peers: readonly PeerConfig[]): void {
    const now = this.clock.now()
    this.sock.setPeers(peers, now)
    this.#device.setPeers(
      peers.map(({ id, nodeKey }) => {
        const allowedIps = [{ address: overlayAddress(id), bits: 32 }]
        return { id, publicKey: nodeKey, allowedIps }
      }),
      now,
    )
    this.wake()
  }

  /** Sends a packet that carries a number to a peer, through the tunnel. */
  send(peer: number, number: number): void {
    const payload = new Uint8Array(8)
    new DataView(payload.buffer).setUint32(4, number)
    const header = {
      source: overlayAddress(this.id),
      destination: overlayAddress(peer),
      protocol: PROTOCOL_UDP,
    }
    this.#device.handlePacket(encodeIpPacket(header, payload), this.clock.now())
    this.wake()
  }

  /** Whether packets to a peer go directly, and that is believed in. */
  isDirect(peer: number): boolean {
    return this.sock.status(peer, this.clock.now())?.endpoint !== undefined
  }

  /** Hears that the host is plugged in elsewhere. */
  moved(): void {
    this.sock.handleNetworkChange(this.clock.now())
    this.#bind()
  }

  /** Lets what is to be done be done; call it after every input. */
  wake(): void {
    if (!this.clock.isAsleep) for (const driver of this.#drivers) driver.wake()
  }

  #bind(): void {
    const now = this.clock.now()
    const { port } = this.#socket
    const has = (bytes: number): boolean => this.host.addresses.some(({ length }) => length === bytes)
    const ports = { v4: has(4) ? port : undefined, v6: has(16) ? port : undefined }
    this.sock.setLocalAddresses(this.host.addresses, ports, now)
    this.#mapper?.setNetwork(this.#gateway(), port, now)
    this.wake()
  }

  #gateway(): Gateway | undefined {
    const { gateway: address, addresses } = this.host
    const self = addresses.find(({ length }) => length === 4)
    return address === undefined || self === undefined ? undefined : { address, self }
  }

  #openDevice(privateKey: Uint8Array): WireGuardDevice {
    return new WireGuardDevice({
      privateKey,
      random: this.#net.random,
      wallClock: () => 1.7e12 + this.#net.clock.now(),
      crypto: tunnelCrypto,
      outputs: {
        toOverlay: (batch) => this.#accept(batch, batch.peers),
        toUnderlay: (peer, batch) => this.#toUnderlay(peer, batch),
        toSource: (source, datagram) => void this.sock.sendToSource(source, datagram),
        nameSource: (source) => this.sock.nameSource(source),
        onSource: (peer, source, proof) => {
          if (proof === 'data') this.sock.attribute(source, peer, this.clock.now())
        },
      },
    })
  }

  #toUnderlay(peer: number, batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index += 1) {
      const datagram = packetOf(batch, index)
      const sent = this.sock.send(peer, datagram, this.clock.now())
      this.#watch.onSent?.(this, peer, datagram, sent)
    }
  }

  /** The usual socket, or the one of a door, which its first datagram opens. */
  #socketFor({ door }: Hop): SimSocket {
    if (door === undefined) return this.#socket
    const known = this.#doors.get(door)
    if (known !== undefined) return known
    const socket = this.host.socket()
    this.#doors.set(door, socket)
    socket.onDatagram = (bytes, from) => this.#receive(bytes, { ...from, door })
    return socket
  }

  #receive(bytes: Uint8Array, from: Hop): void {
    const taken = this.sock.handleDatagram(bytes, from, this.clock.now())
    if (taken !== 'consumed') this.#toWireGuard(bytes, 'udp')
    this.wake()
  }

  #toWireGuard(bytes: Uint8Array, via: 'udp' | 'relay'): void {
    this.#watch.onArrived?.(this, bytes, via)
    this.#device.handleDatagram(bytes, this.sock.lastSource, this.clock.now())
  }

  #accept(batch: PacketBatch, peers: Int32Array): void {
    for (let index = 0; index < batch.count; index += 1) {
      const packet = packetOf(batch, index)
      const number = new DataView(packet.buffer, packet.byteOffset).getUint32(NUMBER + 4)
      this.#watch.onAccepted?.(this, peers[index] ?? -1, number)
    }
  }

  #perform(output: MagicSockOutput): void {
    switch (output.kind) {
      case 'datagram':
        return this.#socketFor(output.to).send(output.to, output.bytes)
      case 'close-door':
        this.#doors.get(output.door)?.close()
        return void this.#doors.delete(output.door)
      case 'relay':
        return this.#linkTo(output.region)?.send(output.to, output.bytes)
      case 'connect-relay':
        this.#wanted.add(output.region)
        return void this.#linkTo(output.region)
      case 'close-relay':
        this.#wanted.delete(output.region)
        this.#links.get(output.region)?.leave()
        return void this.#links.delete(output.region)
      case 'event':
        return this.#watch.onNews?.(this, output)
      case 'rebind':
      case 'measure-relay':
      case 'ping-relay':
      case 'icmp-ping':
      case 'check-captive-portal':
        throw new Error(`nothing in here makes a node ask for ${output.kind}`)
    }
  }

  /** The link to a region; joined again a moment after it was lost, for as long as it is wanted. */
  #linkTo(region: number): RelayPort | undefined {
    const known = this.#links.get(region)
    const relay = this.#relays.get(region)
    if (known !== undefined || relay?.up !== true || !this.host.isOnline) return known
    const link = relay.join(this.nodeKey, this.host)
    this.#links.set(region, link)
    link.onPacket = (source, bytes) => {
      if (this.clock.isAsleep) return
      const peer = this.sock.handleRelayPacket(region, source, bytes, this.clock.now())
      if (peer !== 'consumed') this.#toWireGuard(bytes, 'relay')
      this.wake()
    }
    link.onPeerGone = (key) => {
      this.sock.handlePeerGone(region, key)
      this.wake()
    }
    link.onLost = () => {
      this.#links.delete(region)
      this.sock.handleRelayLost(region, this.clock.now())
      this.wake()
      this.#rejoin(region)
    }
    return link
  }

  #rejoin(region: number): void {
    this.clock.at(this.clock.now() + REJOIN_INTERVAL, () => {
      if (this.#wanted.has(region) && this.#linkTo(region) === undefined) this.#rejoin(region)
    })
  }

  #map(output: PortMapperOutput): void {
    if (output.kind === 'datagram') return this.#mapperSocket.send(output.to, output.bytes)
    const mapper = this.#mapper!
    if (output.kind === 'fetch') return mapper.handleFetched(output.fetch, undefined, this.clock.now())
    this.#watch.onMapped?.(this)
    this.sock.setPortMapping(output.mapping?.external, mapper.services, this.clock.now())
    this.wake()
  }
}

/** How soon a relay that went away is tried again. */
export const REJOIN_INTERVAL = 250

/** Returns the address of a node inside the mesh. */
export function overlayAddress(id: number): Uint8Array {
  return Uint8Array.of(...OVERLAY_PREFIX, id)
}
