// A magicsock in the simulated network: its machine on a host's socket and at a relay, its loop on the network's
// clock, and a book of what arrived.
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import {
  MagicSock,
  type MagicSockEvent,
  type MagicSockOutput,
  type PeerConfig,
  type RelayMap,
  type RelayRegion,
} from '@mesh/magicsock'
import { drive, type Driver, seededRandom } from '@mesh/sansio'
import type { SimHost, SimNet, SimRelay, SimSocket } from '@mesh/simnet'
import type { Endpoint } from '@mesh/wire/ip'

/** The port every node binds. */
export const PORT = 41_641

/** A WireGuard datagram that arrived, by the number it carries. */
export interface Arrival {
  readonly at: number
  readonly number: number
  readonly via: 'udp' | 'relay'
}

/** How a node begins. */
export interface NodeOptions {
  readonly id: number
  readonly net: SimNet
  readonly host: SimHost
  readonly relay: SimRelay
  readonly relays: RelayMap
}

/** One node. */
export class Node {
  readonly id: number
  readonly nodeKey: Uint8Array
  readonly arrivals: Arrival[] = []
  readonly events: MagicSockEvent[] = []
  readonly sock: MagicSock
  readonly host: SimHost
  readonly #net: SimNet
  readonly #socket: SimSocket
  readonly #port: ReturnType<SimRelay['join']>
  readonly #driver: Driver

  constructor({ id, net, host, relay, relays }: NodeOptions) {
    const random = seededRandom(id)
    this.id = id
    this.host = host
    this.#net = net
    this.nodeKey = publicKeyOf(generatePrivateKey(random))
    this.#socket = host.socket(PORT)
    this.#port = relay.join(this.nodeKey)
    this.sock = new MagicSock({
      nodeKey: this.nodeKey,
      discoPrivateKey: generatePrivateKey(random),
      underlay: {
        sendDatagram: (to, bytes) => this.#socket.send(to, bytes),
        sendRelay: (_region, to, bytes) => this.#port.send(to, bytes),
      },
      random,
      now: net.clock.now(),
    })
    this.#driver = drive<MagicSockOutput>(this.sock, net.clock, (output) => this.#perform(output))
    this.#socket.onDatagram = (bytes, from, now) => this.#receive(bytes, from, now)
    this.#port.onPacket = (source, bytes, now) => {
      const peer = this.sock.handleRelayPacket(1, source, bytes, now)
      if (peer !== 'consumed') this.#note(bytes, 'relay')
      this.#driver.wake()
    }
    this.sock.setRelays(relays, net.clock.now())
    this.bind()
  }

  /** Tells the machine the host's addresses. */
  bind(): void {
    const ipv6 = this.host.addresses.some((address) => address.length === 16)
    const ports = { v4: PORT, v6: ipv6 ? PORT : undefined }
    this.sock.setLocalAddresses(this.host.addresses, ports, this.#net.clock.now())
    this.#driver.wake()
  }

  /** Hears that the host is plugged in elsewhere. */
  moved(): void {
    this.sock.handleNetworkChange(this.#net.clock.now())
    this.bind()
  }

  /** What control would tell others. */
  config(): PeerConfig {
    const endpoints = this.sock.endpoints.map((local) => local.endpoint)
    return { id: this.id, nodeKey: this.nodeKey, discoKey: this.sock.discoKey, endpoints, homeRelay: 1 }
  }

  /** Says who the peers are. */
  meet(...peers: readonly Node[]): void {
    this.sock.setPeers(
      peers.map((peer) => peer.config()),
      this.#net.clock.now(),
    )
    this.#driver.wake()
  }

  /** Sends a datagram that carries a number; returns what `send` did. */
  send(peer: number, number: number): number {
    const bytes = Uint8Array.of(4, 0, 0, 0, number >> 16, (number >> 8) & 0xff, number & 0xff)
    const sent = this.sock.send(peer, bytes, this.#net.clock.now())
    this.#driver.wake()
    return sent
  }

  /** Whether packets to a peer go directly, and that is believed in. */
  isDirect(peer: number): boolean {
    return this.sock.status(peer, this.#net.clock.now())?.endpoint !== undefined
  }

  #receive(bytes: Uint8Array, from: Endpoint, now: number): void {
    const peer = this.sock.handleDatagram(bytes, from, now)
    if (peer !== 'consumed') this.#note(bytes, 'udp')
    this.#driver.wake()
  }

  #note(bytes: Uint8Array, via: 'udp' | 'relay'): void {
    const number = (bytes[4]! << 16) | (bytes[5]! << 8) | bytes[6]!
    this.arrivals.push({ at: this.#net.clock.now(), number, via })
  }

  #perform(output: MagicSockOutput): void {
    if (output.kind === 'event') this.events.push(output)
    if (output.kind === 'datagram') this.#socket.send(output.to, output.bytes)
    if (output.kind === 'relay') this.#port.send(output.to, output.bytes)
  }
}

/** Returns one relay region with these STUN servers. */
export function regionOf(servers: readonly Endpoint[]): RelayMap {
  const nodes = servers.map(({ address, port }, i) => {
    return { name: `1${i}`, hostName: 'relay.example', ipv4: address, ipv6: undefined, stunPort: port }
  })
  const regions: RelayRegion[] = nodes.map((node, i) => {
    return { id: i + 1, code: `r${i + 1}`, noMeasureNoHome: false, score: 1, nodes: [node] }
  })
  return new Map(regions.map((region) => [region.id, region]))
}

/** Introduces nodes to each other once each knows its endpoints. */
export function introduce(net: SimNet, ...nodes: readonly Node[]): void {
  net.clock.advanceBy(4_000)
  for (const node of nodes) node.meet(...nodes.filter((other) => other !== node))
}
