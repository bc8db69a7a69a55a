// A world for magicsocks: hosts with addresses, STUN servers, one relay for all regions, and a clock to turn.
// Datagrams travel by address, relayed packets by node key; a log says what everybody sent.
import { type BoxKey, generatePrivateKey, openBox, precomputeBox, publicKeyOf, sealBox } from '@mesh/keys'
import { drive, type Driver, ManualClock, seededRandom } from '@mesh/sansio'
import {
  decodeDisco,
  decodeDiscoEnvelope,
  type DiscoMessage,
  encodeDisco,
  encodeDiscoEnvelope,
  isDisco,
} from '@mesh/wire/disco'
import { isGeneve } from '@mesh/wire/geneve'
import { type Endpoint, formatAddress, formatEndpoint, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { decodeBindingRequest, encodeBindingResponse, isStun } from '@mesh/wire/stun'
import {
  type Hop,
  MagicSock,
  type MagicSockEvent,
  type MagicSockOutput,
  PeerRelay,
  type PeerConfig,
  type RelayMap,
} from '../src/index.ts'

/** The port every host of the world binds. */
export const PORT = 41_641

/** One thing a node sent. */
export interface LogEntry {
  readonly at: number
  readonly what: DiscoMessage['kind'] | 'stun' | 'wireguard' | 'sealed' | 'geneve'
  /** An endpoint as text, or `relay N`. */
  readonly to: string
  readonly message?: DiscoMessage | undefined
}

/** A WireGuard datagram that arrived. */
export interface Arrival {
  readonly at: number
  readonly peer: number
  readonly via: 'udp' | 'relay'
  readonly bytes: Uint8Array
}

/** How a node of the world begins. */
export interface NodeOptions {
  readonly id: number
  readonly addresses: readonly string[]
  readonly homeRelay?: number
  readonly allowLoopback?: boolean
  readonly fixedPort?: boolean
  /** How the world outside sees what this node sends to `to`: a NAT. Default: as it is. */
  readonly seenAs?: (from: Endpoint, to: Hop) => Endpoint
  readonly canOpenDoors?: boolean
  /** It tells magicsock that what comes from a known source is authentic, as WireGuard would. */
  readonly authenticates?: boolean
  /** By which door something comes in that is sent to this outside port. */
  readonly doorAt?: (port: number) => number | undefined
}

/** A node: machine, loop, and what it did and met. */
export class WorldNode {
  readonly id: number
  readonly nodeKey: Uint8Array
  readonly options: NodeOptions
  readonly log: LogEntry[] = []
  readonly events: MagicSockEvent[] = []
  readonly outputs: MagicSockOutput[] = []
  readonly arrivals: Arrival[] = []
  readonly sock: MagicSock
  readonly discoPrivateKey: Uint8Array
  readonly #world: World
  readonly #driver: Driver

  constructor(world: World, options: NodeOptions) {
    this.#world = world
    this.options = options
    this.id = options.id
    const random = seededRandom(options.id)
    this.nodeKey = publicKeyOf(generatePrivateKey(random))
    this.discoPrivateKey = generatePrivateKey(random)
    this.sock = new MagicSock({
      nodeKey: this.nodeKey,
      discoPrivateKey: this.discoPrivateKey,
      underlay: {
        sendDatagram: (to, bytes) => world.carry(this, to, bytes.slice()),
        sendRelay: (region, to, bytes) => world.relay(this, region, to, bytes.slice()),
      },
      random,
      now: world.clock.now(),
      allowLoopback: options.allowLoopback === true,
      fixedPort: options.fixedPort === true,
      canOpenDoors: options.canOpenDoors === true,
    })
    this.#driver = drive<MagicSockOutput>(this.sock, world.clock, (output) => this.#perform(output))
  }

  /** Binds the sockets and takes the relay map. */
  start(): void {
    const addresses = this.options.addresses.map((text) => parseAddress(text)!)
    const v6 = addresses.some((address) => address.length === 16)
    this.sock.setRelays(this.#world.relays, this.#world.clock.now())
    this.sock.setLocalAddresses(addresses, { v4: PORT, v6: v6 ? PORT : undefined }, this.#world.clock.now())
    this.wake()
  }

  /** What control would tell others of this node. */
  config(changes: Partial<PeerConfig> = {}): PeerConfig {
    return {
      id: this.id,
      nodeKey: this.nodeKey,
      discoKey: this.sock.discoKey,
      endpoints: this.sock.endpoints.map((local) => local.endpoint),
      homeRelay: this.options.homeRelay ?? this.sock.homeRelay,
      ...changes,
    }
  }

  /** Says who the peers are. */
  meet(...peers: readonly PeerConfig[]): void {
    this.sock.setPeers(peers, this.#world.clock.now())
    this.wake()
  }

  /** Sends a WireGuard datagram; returns what `send` did. */
  send(peer: number, ...bytes: number[]): number {
    const sent = this.sock.send(peer, wireguard(...bytes), this.#world.clock.now())
    this.wake()
    return sent
  }

  /** Sends at once and then every `interval` for `duration`, while the clock turns. */
  keepSending(peer: number, interval: number, duration: number): void {
    for (let t = 0; t < duration; t += interval) {
      this.send(peer)
      this.#world.clock.advanceBy(Math.min(interval, duration - t))
    }
  }

  /** Drains. */
  wake(): void {
    this.#driver.wake()
  }

  /** Ends the node: it hears and says nothing more. */
  stop(): void {
    this.#driver.close()
  }

  /** What was sent of one kind since `at`, as text. */
  sent(what: LogEntry['what'], since = 0): string[] {
    return this.log.filter((entry) => entry.what === what && entry.at >= since).map((entry) => entry.to)
  }

  /** The news of one kind. */
  news<E extends MagicSockEvent['event']>(event: E): Extract<MagicSockEvent, { event: E }>[] {
    return this.events.filter((e): e is Extract<MagicSockEvent, { event: E }> => e.event === event)
  }

  /** Takes a datagram off the wire. */
  receive(bytes: Uint8Array, from: Hop): void {
    const now = this.#world.clock.now()
    const peer = this.sock.handleDatagram(bytes, from, now)
    const datagram = bytes.subarray(this.sock.lastHeaderLength)
    if (peer !== 'consumed') this.arrivals.push({ at: now, peer, via: 'udp', bytes: datagram })
    if (this.options.authenticates && peer !== 'consumed')
      this.sock.attribute(this.sock.lastSource, peer, now)
    this.wake()
  }

  /** Takes a packet from a relay. */
  receiveRelayed(region: number, source: Uint8Array, bytes: Uint8Array): void {
    const now = this.#world.clock.now()
    const peer = this.sock.handleRelayPacket(region, source, bytes, now)
    if (peer !== 'consumed') this.arrivals.push({ at: now, peer, via: 'relay', bytes })
    this.wake()
  }

  #perform(output: MagicSockOutput): void {
    if (output.kind === 'event') this.events.push(output)
    else this.outputs.push(output)
    if (output.kind === 'datagram') this.#world.carry(this, output.to, output.bytes)
    if (output.kind === 'relay') this.#world.relay(this, output.region, output.to, output.bytes)
  }
}

/** The world. */
export class World {
  readonly clock = new ManualClock(1_000_000)
  readonly nodes: WorldNode[] = []
  /** STUN servers by endpoint text. */
  readonly stunServers = new Set<string>()
  relays: RelayMap = new Map()
  /** One-way delay of a datagram, by destination text. */
  latency: (from: WorldNode | undefined, to: string) => number = () => 10
  /** Which datagrams are lost. */
  isLost: (from: WorldNode, to: string, bytes: Uint8Array, hop: Hop) => boolean = () => false
  /** One-way delay through the relay; `Infinity` when it is down. */
  relayLatency = 30
  /** Whoever else takes datagrams at some address, by endpoint text. */
  readonly others = new Map<string, (bytes: Uint8Array, from: Endpoint) => void>()
  readonly #boxes = new Map<string, BoxKey>()

  /** Adds a node and starts it. */
  add(options: NodeOptions): WorldNode {
    const node = new WorldNode(this, options)
    this.nodes.push(node)
    node.start()
    return node
  }

  /** Adds a region with one STUN server at this endpoint. */
  addRegion(id: number, server: string): void {
    const { address } = parseEndpoint(server)!
    this.stunServers.add(server)
    const node = {
      name: `${id}a`,
      hostName: `relay${id}.example`,
      ipv4: address.length === 4 ? address : undefined,
      ipv6: address.length === 16 ? address : undefined,
      stunPort: parseEndpoint(server)!.port,
    }
    const region = { id, code: `r${id}`, noMeasureNoHome: false, score: 1, nodes: [node] }
    this.relays = new Map([...this.relays, [id, region]])
  }

  /** Sends a datagram on its way. */
  carry(from: WorldNode, to: Hop, bytes: Uint8Array): void {
    const text = formatEndpoint(to)
    this.#note(from, text, bytes)
    if (this.isLost(from, text, bytes, to)) return
    const source = this.#sourceOf(from, to)
    if (source === undefined) return
    this.clock.at(this.clock.now() + this.latency(from, text), () => this.#arrive(text, source, bytes))
  }

  /** Runs a peer relay at an endpoint, on a node that is one. */
  addPeerRelay(node: WorldNode, endpoint: string): PeerRelay {
    const home = at(endpoint)
    const send = (to: Endpoint, bytes: Uint8Array): void => {
      const text = formatEndpoint(to)
      this.clock.at(this.clock.now() + this.latency(node, text), () => this.#arrive(text, home, bytes))
    }
    const relay = new PeerRelay({
      underlay: { sendDatagram: (to, bytes) => send(to, bytes.slice()) },
      random: seededRandom(home.port),
      now: this.clock.now(),
    })
    const driver = drive(relay, this.clock, ({ to, bytes }) => send(to, bytes))
    this.others.set(endpoint, (bytes, from) => {
      relay.handleDatagram(bytes, from, this.clock.now())
      driver.wake()
    })
    relay.setRelays(this.relays, this.clock.now())
    relay.setLocalAddresses([home.address], { v4: home.port, v6: undefined }, this.clock.now())
    driver.wake()
    node.sock.setPeerRelay(relay)
    return relay
  }

  /** Sends a packet to a node through the relay. */
  relay(from: WorldNode, region: number, to: Uint8Array, bytes: Uint8Array): void {
    this.#note(from, `relay ${region}`, bytes)
    const target = this.nodes.find((node) => node.nodeKey.every((byte, i) => byte === to[i]))
    if (target === undefined || this.relayLatency === Infinity) return
    this.clock.at(this.clock.now() + this.relayLatency, () => {
      target.receiveRelayed(region, from.nodeKey, bytes)
    })
  }

  #arrive(to: string, source: Endpoint, bytes: Uint8Array): void {
    if (this.stunServers.has(to)) return this.#answerStun(to, source, bytes)
    this.others.get(to)?.(bytes, source)
    const target = this.nodes.find((node) => this.#isAt(node, to, source))
    const door = target?.options.doorAt?.(at(to).port)
    target?.receive(bytes, door === undefined ? source : { ...source, door })
  }

  #answerStun(server: string, source: Endpoint, bytes: Uint8Array): void {
    const request = decodeBindingRequest(bytes)
    if (request === undefined) return
    const response = encodeBindingResponse(request.txId, source)
    const delay = this.latency(undefined, server)
    this.clock.at(this.clock.now() + delay, () =>
      this.#arrive(formatEndpoint(source), parseEndpoint(server)!, response),
    )
  }

  #sourceOf(from: WorldNode, to: Hop): Endpoint | undefined {
    const address = from.options.addresses
      .map((a) => parseAddress(a)!)
      .find((a) => a.length === to.address.length)
    if (address === undefined) return undefined
    const local = { address, port: PORT }
    return from.options.seenAs?.(local, to) ?? local
  }

  /** A node behind a NAT is at its outside address for whoever it has sent to in the same way. */
  #isAt(node: WorldNode, to: string, source: Endpoint): boolean {
    if (
      node.options.addresses.some(
        (address) => to === formatEndpoint({ address: parseAddress(address)!, port: PORT }),
      )
    ) {
      return true
    }
    const local = parseAddress(node.options.addresses[0]!)!
    const outside = node.options.seenAs?.({ address: local, port: PORT }, source)
    if (outside === undefined) return false
    const door = node.options.doorAt?.(at(to).port)
    const isDoor = door !== undefined && formatAddress(outside.address) === formatAddress(at(to).address)
    return isDoor || formatEndpoint(outside) === to
  }

  #note(from: WorldNode, to: string, bytes: Uint8Array): void {
    const message = decodeDiscoEnvelope(bytes) === undefined ? undefined : this.#open(from, bytes)
    const disco = message?.kind ?? 'sealed'
    const other = isGeneve(bytes) ? 'geneve' : 'wireguard'
    const what = isStun(bytes) ? 'stun' : isDisco(bytes) ? disco : other
    from.log.push({ at: this.clock.now(), what, to, message })
  }

  #open(from: WorldNode, bytes: Uint8Array): DiscoMessage | undefined {
    const { nonce, box } = decodeDiscoEnvelope(bytes)!
    for (const node of this.nodes) {
      const key = this.#boxBetween(from, node)
      const plaintext = openBox(key, nonce, box)
      if (plaintext !== undefined) return decodeDisco(plaintext)
    }
    return undefined
  }

  #boxBetween(a: WorldNode, b: WorldNode): BoxKey {
    const name = `${a.id} ${b.id} ${a.sock.discoKey.join()} ${b.sock.discoKey.join()}`
    const key = this.#boxes.get(name) ?? precomputeBox(a.discoPrivateKey, b.sock.discoKey)!
    this.#boxes.set(name, key)
    return key
  }
}

/** Returns two nodes with public addresses that know each other, and the world with the one relay that both call home. */
export function twoPublicNodes(): { world: World; a: WorldNode; b: WorldNode } {
  const world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  const a = world.add({ id: 1, addresses: ['198.51.100.1'] })
  const b = world.add({ id: 2, addresses: ['203.0.113.2'] })
  world.clock.advanceBy(1_000)
  a.meet(b.config())
  b.meet(a.config())
  return { world, a, b }
}

/** Returns a disco packet of `from` for `to`, as a node may send it that keeps no rules. */
export function sealed(from: WorldNode, to: WorldNode, message: DiscoMessage): Uint8Array {
  const key = precomputeBox(from.discoPrivateKey, to.sock.discoKey)!
  const nonce = seededRandom(message.kind.length)(24)
  const box = sealBox(key, nonce, encodeDisco(message))
  return encodeDiscoEnvelope({ senderDisco: from.sock.discoKey, nonce, box })
}

/** Returns bytes that look like WireGuard transport data. */
export function wireguard(...rest: number[]): Uint8Array {
  return Uint8Array.of(4, 0, 0, 0, ...rest)
}

/** Returns an endpoint from its text. */
export function at(text: string): Endpoint {
  return parseEndpoint(text)!
}

/** Returns endpoints as sorted text. */
export function texts(endpoints: Iterable<Endpoint>): string[] {
  return Array.from(endpoints, formatEndpoint).sort()
}
