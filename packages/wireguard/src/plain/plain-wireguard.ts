// WireGuard as `wg` knows it: peers by public key, each with an endpoint that roams, addresses with one owner each, and
// settings that change while it runs. It is a device with a little bookkeeping around it, and owns no socket either.
import type { Crypto, RandomSource } from '@mesh/noise'
import type { Machine } from '@mesh/sansio'
import { type Endpoint, formatPrefix, maskPrefix, type Prefix } from '@mesh/wire/ip'
import { MESSAGE_INITIATION, MESSAGE_RESPONSE, messageType } from '@mesh/wire/wireguard'
import type { DataPlane, DataPlaneOutputs } from '../data-plane.ts'
import { WireGuardDevice } from '../device.ts'
import {
  type DatagramBatch,
  type PacketBatch,
  type PeerBatch,
  type PeerId,
  packetOf,
} from '../packet-batch.ts'
import type { PeerConfig } from '../peer-config.ts'
import { fromAnyAddress, sameWay, type UnderlayEndpoint } from '../underlay-endpoint.ts'
import type { InterfaceChange, InterfaceStatus, PeerChange, PeerStatus } from './interface-change.ts'
import { formatKey } from './key-text.ts'
import { foreignPrefixes } from './source-owners.ts'

/** What happened, for a log. */
export interface PlainEvent {
  readonly event: 'established' | 'handshake-failed'
  /** Whose: its public key in base64. */
  readonly peer: string
}

/** Where packets go. Batches are lent until the call returns. */
export interface PlainOutputs {
  /** Packets for the overlay: authentic, from an address of their peer. */
  toOverlay(batch: PeerBatch): void
  /** Datagrams for one endpoint, in order. */
  toUnderlay(batch: PacketBatch, endpoint: Endpoint): void
  /** A peer's datagrams go there from now on: for a data plane that has the sockets itself. */
  onPath?(peer: PeerId, endpoint: Endpoint | undefined): void
  /** Returns what a data plane of the caller's means by a source. Without it {@link PlainWireGuard.handleDatagram} says. */
  endpointOf?(source: number): Endpoint | undefined
}

/** What a {@link PlainWireGuard} is made of. */
export interface PlainOptions {
  readonly outputs: PlainOutputs
  /** Random bytes, fit for keys. */
  readonly random: RandomSource
  /** Wall time in milliseconds since 1970. */
  readonly wallClock: () => number
  /** The primitives; `nobleCrypto` when left out. */
  readonly crypto?: Crypto
  /** The overlay's MTU, beyond which no packet is padded; 1280 when left out. */
  readonly mtu?: number
  /** Makes the data plane; the portable one when left out. */
  readonly dataPlane?: (outputs: DataPlaneOutputs) => DataPlane
}

interface PlainPeer {
  readonly id: PeerId
  readonly name: string
  readonly publicKey: Uint8Array
  presharedKey: Uint8Array | undefined
  endpoint: UnderlayEndpoint | undefined
  /** Whether a handshake was begun and nothing authentic has come since. */
  asked: boolean
  keepalive: number
  readonly allowedIps: Map<string, Prefix>
}

const KEY_LENGTH = 32
/** The number of the endpoint that the datagram being handled came from. */
const PRESENT = 0

/** A plain WireGuard interface, without its sockets. */
export class PlainWireGuard implements Machine<PlainEvent> {
  readonly #outputs: PlainOutputs
  readonly #options: PlainOptions
  readonly #device: WireGuardDevice
  readonly #peers = new Map<string, PlainPeer>()
  readonly #byId = new Map<PeerId, PlainPeer>()
  /** Who owns a prefix. */
  readonly #owners = new Map<string, PlainPeer>()
  #privateKey: Uint8Array | undefined
  #nextId = 1
  /** Where the datagram being handled came from. */
  #present: Endpoint | undefined
  /** Who has begun a handshake, and from where, until it is answered. */
  #answering: { readonly peer: PeerId; readonly endpoint: Endpoint } | undefined

  constructor(options: PlainOptions) {
    this.#options = options
    this.#outputs = options.outputs
    this.#device = new WireGuardDevice({
      ...options,
      privateKey: options.random(KEY_LENGTH), // nobody knows it: until there is another, nobody can talk to us
      outputs: {
        toOverlay: (batch) => this.#outputs.toOverlay(batch),
        toUnderlay: (peer, batch) => this.#send(peer, batch),
        toSource: (source, datagram) => this.#sendTo(this.#endpointOf(source), batchOf(datagram)),
        onSource: (peer, source, proof) => this.#hearFrom(peer, source, proof),
        nameSource: (source) => nameOf(this.#endpointOf(source)),
      },
    })
  }

  /** Own public key; `undefined` while there is no private one. */
  get publicKey(): Uint8Array | undefined {
    return this.#privateKey && this.#device.publicKey
  }

  /** The device inside, for its counters. */
  get device(): Pick<WireGuardDevice, 'counters' | 'handshakeDrops'> {
    return this.#device
  }

  /**
   * Does what is said, but for `listenPort` and `fwmark`, which are the socket owner's. Peers that stay keep their sessions; who
   * has our own key is no peer.
   */
  apply(change: InterfaceChange, now: number): void {
    const { privateKey, replacePeers = false, peers = [] } = change
    const before = replacePeers ? new Map(this.#peers) : undefined
    if (before !== undefined) this.#forgetAll()
    if (privateKey !== undefined) this.#setPrivateKey(privateKey, now)
    const found = peers.filter((one) => this.#applyPeer(one, before?.get(formatKey(one.publicKey))))
    if (privateKey !== undefined || replacePeers || peers.length > 0) this.#tellDevice(now)
    for (const { publicKey } of found) this.#tryAgain(publicKey, now)
  }

  /** Takes packets from the overlay. */
  fromOverlay(batch: PacketBatch, now: number): void {
    this.#device.fromOverlay(batch, now)
  }

  /** Takes one packet from the overlay. */
  handlePacket(packet: Uint8Array, now: number): void {
    this.#device.handlePacket(packet, now)
  }

  /** Takes one datagram from the network. */
  handleDatagram(datagram: Uint8Array, from: Endpoint, now: number): void {
    this.#present = from
    this.#device.handleDatagram(datagram, PRESENT, now)
    this.#present = undefined
  }

  /** Begins a handshake with a peer by its public key, however young its session is. */
  startHandshake(publicKey: Uint8Array, now: number): void {
    const peer = this.#peers.get(formatKey(publicKey))
    if (peer !== undefined) this.#device.startHandshake(peer.id, now)
  }

  /** Does what is due. Harmless when called early. */
  handleTimeout(now: number): void {
    this.#device.handleTimeout(now)
  }

  /** Returns the next event, or `undefined` when drained. */
  poll(): PlainEvent | undefined {
    const event = this.#device.poll()
    if (event === undefined) return undefined
    return { event: event.event, peer: this.#byId.get(event.peer)?.name ?? '' }
  }

  /** Returns when to call {@link PlainWireGuard.handleTimeout}; `Infinity` means never. */
  pollTimeout(): number {
    return this.#device.pollTimeout()
  }

  /** Returns the public key of a batch's peer, 32 bytes; `undefined` for a peer that is gone. */
  keyOf(peer: PeerId): Uint8Array | undefined {
    return this.#byId.get(peer)?.publicKey
  }

  /** Returns what there is to know, at this monotonic time. It holds the private key. */
  status(now: number): Omit<InterfaceStatus, 'listenPort' | 'fwmark'> {
    return {
      privateKey: this.#privateKey,
      peers: Array.from(this.#peers.values(), (peer) => this.#statusOf(peer, now)),
    }
  }

  /** Wipes all keys. It does nothing after this. */
  close(): void {
    this.#privateKey?.fill(0)
    this.#privateKey = undefined
    this.#device.close()
  }

  // Settings.

  /** Returns whether the peer has an endpoint now that had none. */
  #applyPeer(change: PeerChange, before: PlainPeer | undefined): boolean {
    const name = formatKey(change.publicKey)
    if (name === this.#ownName) return false
    const known = this.#peers.get(name)
    if (change.remove === true) this.#forget(known)
    if (change.remove === true || (known === undefined && change.updateOnly === true)) return false
    const peer = known ?? this.#create(change.publicKey, name, before)
    const lost = peer.endpoint === undefined
    const { presharedKey, endpoint, keepalive } = change
    if (presharedKey !== undefined) peer.presharedKey = isZero(presharedKey) ? undefined : presharedKey
    if (keepalive !== undefined) peer.keepalive = keepalive
    if (endpoint !== undefined) peer.endpoint = endpoint
    if (change.replaceAllowedIps === true) this.#disown(peer)
    for (const { prefix, remove } of change.allowedIps ?? []) this.#setOwner(maskPrefix(prefix), peer, remove)
    return lost && endpoint !== undefined
  }

  /** What was said so far went nowhere; the next attempt need not wait. */
  #tryAgain(publicKey: Uint8Array, now: number): void {
    const peer = this.#peers.get(formatKey(publicKey))
    if (peer === undefined || this.#device.status(peer.id)?.handshaking !== true) return
    this.#device.resetPeer(peer.id, now)
    this.#device.startHandshake(peer.id, now)
  }

  /** One that was there `before` is the same to the device, and where it was. */
  #create(publicKey: Uint8Array, name: string, before: PlainPeer | undefined): PlainPeer {
    const peer: PlainPeer = {
      id: before?.id ?? this.#nextId++,
      name,
      publicKey: Uint8Array.from(publicKey),
      presharedKey: undefined,
      endpoint: before?.endpoint,
      asked: false,
      keepalive: 0,
      allowedIps: new Map(),
    }
    this.#peers.set(name, peer)
    this.#byId.set(peer.id, peer)
    return peer
  }

  /** An address that gets another owner is no longer the first one's. */
  #setOwner(prefix: Prefix, peer: PlainPeer, remove: boolean): void {
    const text = formatPrefix(prefix)
    const owner = this.#owners.get(text)
    if (remove && owner !== peer) return
    owner?.allowedIps.delete(text)
    this.#owners.delete(text)
    if (remove) return
    peer.allowedIps.set(text, prefix)
    this.#owners.set(text, peer)
  }

  #disown(peer: PlainPeer): void {
    for (const text of peer.allowedIps.keys()) this.#owners.delete(text)
    peer.allowedIps.clear()
  }

  #forget(peer: PlainPeer | undefined): void {
    if (peer === undefined) return
    this.#disown(peer)
    this.#peers.delete(peer.name)
    this.#byId.delete(peer.id)
  }

  #forgetAll(): void {
    for (const peer of this.#peers.values()) this.#forget(peer)
  }

  #setPrivateKey(privateKey: Uint8Array, now: number): void {
    const known = this.#privateKey
    if (known?.every((byte, i) => byte === privateKey[i])) return
    const none = isZero(privateKey)
    this.#device.setPrivateKey(none ? this.#options.random(KEY_LENGTH) : privateKey, now)
    known?.fill(0)
    this.#privateKey = none ? undefined : Uint8Array.from(privateKey)
    this.#forget(this.#peers.get(this.#ownName ?? ''))
  }

  get #ownName(): string | undefined {
    return this.publicKey && formatKey(this.publicKey)
  }

  #tellDevice(now: number): void {
    const peers = this.#privateKey === undefined ? [] : [...this.#peers.values()]
    const owned = peers.flatMap(({ id, allowedIps }) =>
      Array.from(allowedIps.values(), (prefix) => ({ prefix, peer: id })),
    )
    const holes = foreignPrefixes(owned)
    this.#device.setPeers(
      peers.map((peer) => configOf(peer, holes.get(peer.id) ?? [])),
      now,
    )
    for (const { id, endpoint } of peers) this.#outputs.onPath?.(id, endpoint)
  }

  #statusOf(peer: PlainPeer, now: number): PeerStatus {
    const { publicKey, presharedKey, endpoint, keepalive, allowedIps } = peer
    const at = this.#device.status(peer.id)?.lastHandshakeAt
    const { receivedBytes = 0, sentBytes = 0 } = this.#device.peerCounters(peer.id) ?? {}
    return {
      publicKey,
      presharedKey,
      endpoint,
      keepalive,
      allowedIps: [...allowedIps.values()],
      lastHandshakeTime: at === undefined ? undefined : this.#options.wallClock() - (now - at),
      receivedBytes,
      sentBytes,
    }
  }

  // Paths.

  #send(id: PeerId, batch: PacketBatch): void {
    const answering = this.#answering
    const answers = answering?.peer === id && messageType(packetOf(batch, 0)) === MESSAGE_RESPONSE
    if (answers) this.#answering = undefined
    const peer = this.#byId.get(id)
    if (messageType(packetOf(batch, 0)) === MESSAGE_INITIATION) this.#ask(peer)
    this.#sendTo(answers ? answering.endpoint : peer?.endpoint, batch)
  }

  /** Who does not answer may not be within reach from the address of ours that was right before. */
  #ask(peer: PlainPeer | undefined): void {
    if (peer?.asked === true && peer.endpoint?.local !== undefined) {
      peer.endpoint = fromAnyAddress(peer.endpoint)
      this.#outputs.onPath?.(peer.id, peer.endpoint)
    }
    if (peer !== undefined) peer.asked = true
  }

  #sendTo(endpoint: Endpoint | undefined, batch: PacketBatch): void {
    if (endpoint !== undefined) this.#outputs.toUnderlay(batch, endpoint)
  }

  /**
   * Authentic data moves a peer's endpoint. A handshake alone does not, since anybody may have carried it here (threat 24):
   * it is answered where it came from, and its sender's data will do the rest.
   */
  #hearFrom(id: PeerId, source: number, proof: 'data' | 'handshake'): void {
    const peer = this.#byId.get(id)
    const endpoint = this.#endpointOf(source)
    if (peer === undefined || endpoint === undefined) return
    if (proof === 'handshake') this.#answering = { peer: id, endpoint }
    if (proof === 'handshake' && peer.endpoint !== undefined) return
    peer.asked = false
    if (sameWay(peer.endpoint, endpoint)) return
    peer.endpoint = endpoint
    this.#outputs.onPath?.(id, endpoint)
  }

  #endpointOf(source: number): Endpoint | undefined {
    if (source < 0) return undefined
    return this.#outputs.endpointOf === undefined ? this.#present : this.#outputs.endpointOf(source)
  }
}

function configOf(peer: PlainPeer, excludedIps: readonly Prefix[]): PeerConfig {
  const { id, publicKey, presharedKey, keepalive, allowedIps } = peer
  return {
    id,
    publicKey,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    allowedIps: [...allowedIps.values()],
    excludedIps,
    keepalive: keepalive * 1000,
  }
}

/** Port and address, as the device's limits want it. */
function nameOf(endpoint: Endpoint | undefined): Uint8Array | undefined {
  return endpoint && Uint8Array.of(endpoint.port >> 8, endpoint.port & 255, ...endpoint.address)
}

function isZero(key: Uint8Array): boolean {
  return key.every((byte) => byte === 0)
}

function batchOf(datagram: Uint8Array): DatagramBatch {
  const one = (value: number): Int32Array => Int32Array.of(value)
  return { bytes: datagram, offsets: one(0), lengths: one(datagram.length), sources: one(-1), count: 1 }
}
