// A WireGuard interface in a Node process: the plain machine, its sockets and its clock joined. Packets come and go by a
// TUN, on Linux through a thread of their own, or by calls of the program.
import { generateKeyPairSync } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { nodeCrypto } from '@mesh/noise/node'
import { drive, type Driver } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { type Endpoint, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { type PacketBatch, type PeerBatch, packetOf } from '../packet-batch.ts'
import type { InterfaceChange, InterfaceStatus } from '../plain/interface-change.ts'
import { formatKey } from '../plain/key-text.ts'
import { type PlainEvent, PlainWireGuard } from '../plain/plain-wireguard.ts'
import { changeFor, type InterfaceSettings, type PeerSettings, readKey } from '../plain/settings.ts'
import { loadWasmCrypto } from '../wasm/index.ts'
import { LinuxDataPlane } from './linux-data-plane.ts'
import type { LinuxDataPlaneEvent } from './linux-data-plane-options.ts'
import { type DatagramSink, type Losses, openUdpUnderlay, type Underlay, unsupported } from './underlay.ts'

/** A TUN with virtio headers, such as `openOffloadTun` of `@mesh/tun/node` opens: the Linux data plane moves its packets. */
export interface DescriptorTun {
  readonly fd: number
  readonly mtu: number
}

/** Any other packet device, such as `openTun` or `createTunPair` of `@mesh/tun` give. */
export interface BatchTun {
  /** The longest packet it takes, bytes. */
  readonly mtu: number
  /** Says who takes the packets that the host sends; the buffer is lent for the call. */
  onPackets(sink: (batch: PacketBatch) => void): void
  /** Gives packets to the host. The buffer is the caller's again when it returns. */
  write(batch: PacketBatch): unknown
}

/** How a {@link WireGuardNode} is opened. */
export interface OpenWireGuardOptions extends InterfaceSettings {
  /** Where packets come from and go to. It stays the caller's to close, after the node. Without it see `onPacket`. */
  readonly tun?: DescriptorTun | BatchTun | undefined
  /** Takes packets, each its own bytes, with the sender's public key, where there is no `tun`. */
  readonly onPacket?: (packet: Uint8Array, publicKey: string) => void
  /** The overlay's MTU where there is no `tun`; 1420 when left out. */
  readonly mtu?: number | undefined
  /** The address to listen at; all of both families when left out. */
  readonly address?: string
  /** Hears what is worth a line in a log. */
  readonly onEvent?: (event: WireGuardNodeEvent) => void
}

/** What happens with a {@link WireGuardNode}. */
export type WireGuardNodeEvent = PlainEvent | LinuxDataPlaneEvent

const DEFAULT_MTU = 1420

/** Returns a new private key and the public key that belongs to it, in base64. */
export function generateKeys(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey } = generateKeyPairSync('x25519')
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' })
  const standard = (text: string): string => Buffer.from(text, 'base64url').toString('base64')
  return { privateKey: standard(d), publicKey: standard(x) }
}

/**
 * Opens a WireGuard interface: sockets, timers and, with a TUN, packets.
 *
 * @throws TypeError or RangeError naming a setting that does not read; the system's error when a port cannot be had or a name
 * does not resolve.
 */
export async function openWireGuard(options: OpenWireGuardOptions = {}): Promise<WireGuardNode> {
  const change = changeFor(options, await resolver(options.peers ?? [])) // before anything is opened
  const { tun } = options
  const node = tun !== undefined && 'fd' in tun ? openLinux(tun, options) : await openPortable(tun, options)
  const { listenPort: _, ...rest } = change
  try {
    await node.configure(rest)
  } catch (error) {
    await node.close()
    throw error
  }
  return node
}

/** An open WireGuard interface. */
export class WireGuardNode {
  readonly #core: PlainWireGuard
  readonly #driver: Driver
  readonly #underlay: Underlay
  #fwmark = 0

  /** Made by {@link openWireGuard}. */
  constructor(core: PlainWireGuard, driver: Driver, underlay: Underlay) {
    this.#core = core
    this.#driver = driver
    this.#underlay = underlay
  }

  /** Own public key in base64; `undefined` while it has no private key. */
  get publicKey(): string | undefined {
    const key = this.#core.publicKey
    return key && formatKey(key)
  }

  /** The UDP port it listens at. */
  get port(): number {
    return this.#underlay.port
  }

  /** The counters of the device inside. */
  get device(): PlainWireGuard['device'] {
    return this.#core.device
  }

  /** What was lost outside the device, which counts its own drops. */
  get losses(): Losses {
    return this.#underlay.losses
  }

  /** Sends an IP packet (copied) to whichever peer its destination belongs to. */
  send(packet: Uint8Array): void {
    this.#core.handlePacket(packet, systemClock.now())
    this.#driver.wake()
  }

  /**
   * Replaces the peers. Those that stay keep their sessions, and the endpoints they were heard from unless told others.
   *
   * @throws TypeError or RangeError naming a setting that does not read.
   */
  async setPeers(peers: readonly PeerSettings[]): Promise<void> {
    await this.configure(changeFor({ peers }, await resolver(peers)))
  }

  /** Changes what is said, and leaves the rest. Rejects with the system's error, and nothing changed, when a port cannot be had. */
  async configure(change: InterfaceChange): Promise<void> {
    const { listenPort, fwmark } = change
    if (fwmark !== undefined && fwmark !== this.#fwmark) {
      await this.#underlay.setMark(fwmark)
      this.#fwmark = fwmark
    }
    if (listenPort !== undefined && listenPort !== this.port) await this.#underlay.rebind(listenPort)
    this.#core.apply(change, systemClock.now())
    this.#driver.wake()
  }

  /** Begins a handshake with a peer, however young its session is. @throws TypeError for what is no key. */
  rekey(publicKey: string): void {
    this.#core.startHandshake(readKey(publicKey, 'publicKey'), systemClock.now())
    this.#driver.wake()
  }

  /** Returns what there is to know. It holds the private key. */
  status(): InterfaceStatus {
    return { ...this.#core.status(systemClock.now()), listenPort: this.port, fwmark: this.#fwmark }
  }

  /** Wipes the keys and closes the sockets. Harmless when repeated. */
  async close(): Promise<void> {
    this.#driver.close()
    this.#core.close()
    await this.#underlay.close()
  }
}

async function openPortable(
  tun: BatchTun | undefined,
  options: OpenWireGuardOptions,
): Promise<WireGuardNode> {
  const loaded = loadWasmCrypto(nodeCrypto)
  const { onPacket, onEvent = () => undefined, mtu = DEFAULT_MTU, listenPort = 0, address } = options
  const sink: DatagramSink = (datagram, from) => {
    core.handleDatagram(datagram, from, systemClock.now())
    driver.wake()
  }
  const deliver = (batch: PeerBatch): void => {
    for (let i = 0; i < batch.count; i += 1) {
      onPacket?.(packetOf(batch, i).slice(), keyTextOf(core, batch.peers[i] ?? -1))
    }
  }
  const underlay = await openUdpUnderlay(listenPort, address, sink)
  const core = new PlainWireGuard({
    random: systemRandom,
    wallClock: () => Date.now(),
    crypto: loaded.kind === 'loaded' ? loaded.crypto : nodeCrypto,
    mtu: tun?.mtu ?? mtu,
    outputs: {
      toOverlay: tun === undefined ? deliver : (batch) => void tun.write(batch),
      toUnderlay: (batch, endpoint) => underlay.send(batch, endpoint),
    },
  })
  const driver = drive(core, systemClock, onEvent)
  tun?.onPackets((batch) => {
    core.fromOverlay(batch, systemClock.now())
    driver.wake()
  })
  return new WireGuardNode(core, driver, underlay)
}

function openLinux(tun: DescriptorTun, options: OpenWireGuardOptions): WireGuardNode {
  const { onEvent = () => undefined, listenPort = 0, address } = options
  const bound = address === undefined ? undefined : parseAddress(address)
  const plane = new LinuxDataPlane({
    tun,
    port: listenPort,
    onEvent,
    roams: true,
    ...(bound === undefined ? {} : { address: bound }),
  })
  const core = new PlainWireGuard({
    random: systemRandom,
    wallClock: () => Date.now(),
    crypto: nodeCrypto,
    mtu: tun.mtu,
    outputs: {
      toOverlay: (batch) => plane.toHost(batch),
      toUnderlay: (batch, endpoint) => sendAll(plane, batch, endpoint),
      onPath: (peer, endpoint) => plane.setPath(peer, endpoint),
      endpointOf: (source) => plane.endpointOf(source),
    },
    dataPlane: (outputs) =>
      plane.attach({
        ...outputs,
        onDatagrams: (batch, now) => {
          outputs.onDatagrams(batch, now)
          driver.wake()
        },
        onActivity: (peer, activity, now) => {
          outputs.onActivity(peer, activity, now)
          driver.wake()
        },
      }),
  })
  const driver = drive(core, systemClock, onEvent)
  return new WireGuardNode(core, driver, new PlaneUnderlay(plane))
}

/** The sockets of a Linux data plane, which go with it. */
class PlaneUnderlay implements Underlay {
  readonly #plane: LinuxDataPlane

  constructor(plane: LinuxDataPlane) {
    this.#plane = plane
  }

  get port(): number {
    const { v4, v6 } = this.#plane.sockets.ports
    return v4 ?? v6 ?? 0
  }

  get losses(): Losses {
    const { sendErrors, hostDrops } = this.#plane.losses
    return { sendErrors, hostDrops }
  }

  send(batch: PacketBatch, to: Endpoint): void {
    sendAll(this.#plane, batch, to)
  }

  rebind(port: number): Promise<void> {
    return this.#plane.sockets.moveTo(port)
  }

  setMark(mark: number): Promise<void> {
    return mark === 0 ? Promise.resolve() : Promise.reject(unsupported('fwmark'))
  }

  close(): Promise<void> {
    return this.#plane.close()
  }
}

function sendAll(plane: LinuxDataPlane, batch: PacketBatch, to: Endpoint): void {
  for (let i = 0; i < batch.count; i += 1) plane.sockets.send(packetOf(batch, i), to)
}

function keyTextOf(core: PlainWireGuard, peer: number): string {
  const key = core.keyOf(peer)
  return key === undefined ? '' : formatKey(key)
}

/** Asks for the addresses of all endpoints that are names; the returned function has them at hand. */
async function resolver(peers: readonly PeerSettings[]): Promise<(text: string) => Endpoint | undefined> {
  const known = new Map<string, Endpoint>()
  for (const { endpoint } of peers) {
    const colon = endpoint?.lastIndexOf(':') ?? -1
    if (endpoint === undefined || colon < 0 || parseEndpoint(endpoint) !== undefined) continue
    const { address } = await lookup(endpoint.slice(0, colon))
    const bytes = parseAddress(address.split('%')[0] ?? '')
    if (bytes !== undefined) known.set(endpoint, { address: bytes, port: Number(endpoint.slice(colon + 1)) })
  }
  return (text) => known.get(text) ?? parseEndpoint(text)
}
