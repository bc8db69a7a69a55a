// The shell seen from outside: sockets and relays in, machine, sockets and relays out. Decides nothing.
import type { X25519 } from '@mesh/keys'
import type { Clock, RandomSource } from '@mesh/sansio'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { DatagramSocket, SocketPorts } from '../datagram-socket.ts'
import type { DropCounters } from '../drops.ts'
import type { LocalEndpoint } from '../endpoints.ts'
import type { PathExplanation } from '../explain.ts'
import type { PathHabits } from '../habits.ts'
import type { NetcheckReport } from '../netcheck-report.ts'
import type { Introduction } from '../introduction.ts'
import type { MagicSockEvent, PeerPath, PingResult, PingWay } from '../output.ts'
import type { PeerConfig, PeerId, PeerStatus } from '../peer-config.ts'
import type { TunnelGrantor } from '../peer-relay/grantor.ts'
import type { Gateway, PortMapping } from '../portmap/mapping.ts'
import type { RelayMap } from '../relay-map.ts'
import { RunningMagicSock } from './running-magicsock.ts'
import { openUdpSockets } from './udp-sockets.ts'

/** What a relay connection tells magicsock. */
export interface RelayHandlers {
  /** A packet from the node with this public key. `bytes` are lent for the call. */
  onPacket(source: Uint8Array, bytes: Uint8Array): void
  /** The relay no longer has this node. */
  onPeerGone(nodeKey: Uint8Array): void
  /** The relay is alive: connected, or anything came from it. */
  onAlive(): void
  /** The connection broke; the link reconnects by itself. */
  onLost(): void
}

/** A connection to one relay region that keeps itself alive. */
export interface RelayLink {
  /** Sends a packet to the node with this key, or keeps it until connected, or drops it. `bytes` are lent. */
  send(to: Uint8Array, bytes: Uint8Array): void
  /** Tells the relay whether it is our home. */
  notePreferred(preferred: boolean): void
  /** Hears that the machine's network is another one: a connection that does not answer soon is to be made anew. */
  noteNetworkChange?(): void
  /** Closes for good. */
  close(): void
}

/** Who a magicsock is. */
export interface MagicSockKeys {
  /** The node public key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** The disco private key, 32 bytes. Default: a fresh one, as others expect of a node that starts. */
  readonly discoPrivateKey?: Uint8Array
}

/** The relays there are: what two nodes go by until they are direct, and where they cannot be. */
export interface MagicSockRelays {
  /** The regions. Left out, they come by {@link MagicSockHandle.setRelays}, and no endpoints are told before. */
  readonly map?: RelayMap
  /** Connects to a region, now or when it can; the link reconnects by itself. */
  readonly connect: (region: number, handlers: RelayHandlers) => RelayLink
}

/** How {@link openMagicSock} begins. */
export interface OpenMagicSockOptions {
  /** Who we are. Default: somebody new. */
  readonly keys?: MagicSockKeys
  /** The relays. Default: there are none. */
  readonly relays?: MagicSockRelays
  /** The UDP port to ask for; 0 or none for any. */
  readonly port?: number
  /** Loopback addresses are endpoints like any other: for several nodes on one machine. */
  readonly allowLoopback?: boolean
  /**
   * Takes a WireGuard datagram: from which peer it seems to come (-1: unknown), and its source, to be handed to
   * {@link MagicSockHandle.attribute} once it is authenticated. `bytes` are lent for the call.
   */
  readonly onPacket?: (bytes: Uint8Array, peer: PeerId, source: number) => void
  /** Takes news. */
  readonly onEvent?: (event: MagicSockEvent) => void
  /** Hears that this machine has other addresses now; with `isLost` that one is gone, and what was connected from it dead. */
  readonly onNetworkChange?: (isLost: boolean) => void
  /**
   * Hears that this machine has slept for so many milliseconds. Everything is looked for anew, as after a change of the
   * network, and paths are used together with the relay until they answer.
   */
  readonly onWake?: (slept: number) => void
  /** Hears that the sockets could not be opened again after the network had changed; it is tried again every few seconds. */
  readonly onRebindFailed?: (error: Error) => void
  /** Sockets to use instead of the system's own. */
  readonly sockets?: DatagramSocket
  /**
   * Measures a relay over HTTPS in milliseconds, for networks without UDP; the request alone counts, not the connecting.
   * `undefined` for a relay that does not answer. `measureRelayByHttps` fits, told which servers the region has.
   */
  readonly measureRelay?: (region: number) => Promise<number | undefined>
  /** Looks for a captive portal: `detectCaptivePortal` of relays that answer on port 80, for instance. */
  readonly checkCaptivePortal?: () => Promise<boolean | undefined>
  /** Measures a host by ICMP in milliseconds, to compare endpoints of a peer that speaks WireGuard only. Default: `pingByIcmp`. */
  readonly pingIcmp?: (address: IpAddress) => Promise<number | undefined>
  /** Returns the NAT64 prefix (12 bytes) of a network in which this machine has IPv6 only. Default: the resolver is asked. */
  readonly findNat64?: () => Promise<Uint8Array | undefined>
  /** Says which local addresses to tell peers of. Default: `localAddresses`. Asked again every few seconds. */
  readonly readAddresses?: () => IpAddress[]
  /** Returns milliseconds since the system started, sleep included. Default: what the system says. */
  readonly readUptime?: () => number
  /**
   * Asks the gateway to forward our UDP port, by NAT-PMP, PCP or UPnP, and tells peers of it. Default: it is not asked.
   * Where the system does not say who the gateway is (other than Linux), `findGateway` must.
   */
  readonly portMapping?: boolean
  /**
   * Finds peers behind NATs that give each destination another port, and lets itself be found behind such a one: up to 256
   * extra sockets for ten seconds, or 250 small datagrams a second to the peer's address for as long. Default: it does.
   */
  readonly portSearch?: boolean
  /** Says who the gateway is, every few seconds. Default: `defaultGateway`. */
  readonly findGateway?: () => Promise<Gateway | undefined>
  /** A faster X25519 than the portable one. */
  readonly x25519?: X25519
  /** Default: the system's monotonic clock. */
  readonly clock?: Clock
  /** Default: the system's random bytes. */
  readonly random?: RandomSource
}

/** A running magicsock. */
export interface MagicSockHandle {
  /** Our node public key. */
  readonly nodeKey: Uint8Array
  /** What others must know of us now; see `formatIntroduction`. It changes with the endpoints. */
  readonly introduction: Introduction
  /** Our disco public key, fresh at each start. */
  readonly discoKey: Uint8Array
  /** The ports bound now. */
  readonly ports: SocketPorts
  /** The endpoints advertised now. */
  readonly endpoints: readonly LocalEndpoint[]
  /** The home relay region; 0 while there is none. */
  readonly homeRelay: number
  /** The port mapping at the gateway, while there is one. */
  readonly portMapping: PortMapping | undefined
  /** The last finished netcheck. */
  readonly report: NetcheckReport | undefined
  /** Packets thrown away, by reason. */
  readonly drops: Readonly<DropCounters>
  /** Replaces the set of peers. */
  setPeers(peers: readonly PeerConfig[]): void
  /** Replaces the relay map. Nodes without an address are looked up by their host name. */
  setRelays(relays: RelayMap): void
  /** Says whether control can be asked; while it cannot, a home once chosen stays. */
  setControlConnected(connected: boolean): void
  /**
   * Says how paths are kept from now on; by no habit by default.
   *
   * @returns The habits kept. `probePathMtu` is kept only where the sockets can send a datagram whole or not at all: those of
   * a Linux data plane can, the system's own through `node:dgram` cannot.
   */
  setHabits(habits: PathHabits): PathHabits
  /** Takes a disco key that a peer has told inside its own tunnel. */
  learnDiscoKey(peer: PeerId, discoKey: Uint8Array): void
  /**
   * Calls `listener` with every datagram that came from a known peer's path, until the function returned is called.
   * `bytes` are lent for the call. Nothing is authenticated or encrypted: that is WireGuard's part, or yours.
   */
  onDatagram(listener: (bytes: Uint8Array, peer: PeerId) => void): () => void
  /** Calls `listener` whenever a peer's packets take another path, until the function returned is called. */
  onPath(listener: (peer: PeerId, path: PeerPath) => void): () => void
  /**
   * Sends one datagram (lent) to a peer; returns a set of `SENT` bits. It is to be WireGuard's, or anything that does not
   * begin like STUN, disco or Geneve, which the other side would take for its own.
   */
  send(peer: PeerId, datagram: Uint8Array): number
  /**
   * Notes that datagrams went to a peer by a way of the owner's own, such as a packet thread. Returns the endpoint that the
   * next ones may go straight to, as it is on the wire: behind NAT64 another one than {@link MagicSockHandle.status} has;
   * `undefined` when they must go by {@link MagicSockHandle.send}. As long as it stays the same it is the same object.
   */
  noteTraffic(peer: PeerId): Endpoint | undefined
  /** Returns what {@link MagicSockHandle.noteTraffic} would, and notes nothing. */
  straightPath(peer: PeerId): Endpoint | undefined
  /** Says that authentic data of `peer` came to the owner's packet thread from this endpoint. */
  attributeEndpoint(from: Endpoint, peer: PeerId): void
  /** Says that WireGuard has authenticated a packet of `peer` from this source. */
  attribute(source: number, peer: PeerId): void
  /** Returns bytes that name a source: address and port, or relay and key; `undefined` when the number is too old. */
  nameSource(source: number): Uint8Array | undefined
  /** Sends one datagram (lent) back to where another came from, such as a cookie reply. */
  sendToSource(source: number, datagram: Uint8Array): void
  /** Says which peer relay this node runs (`openPeerRelay`), for peers that may use it and for itself; none to stop. */
  setPeerRelay(grantor: TunnelGrantor | undefined): void
  /**
   * Says that the system's addresses have changed, before the next look at them. When one that peers were told of is among
   * those `lost`, paths are looked for anew and the sockets opened again, also if it has come back meanwhile.
   */
  noteAddressChange(lost: readonly IpAddress[]): Promise<void>
  /**
   * Pings a peer by disco, over the path in use, every path that may work, or its relay alone; the first answer is the result.
   * `size` is that of the ping's packet, to see whether such a packet passes; as small as can be by default.
   *
   * @throws RangeError when the size is not a whole number, or more than `MAX_PING_SIZE`.
   */
  ping(peer: PeerId, over?: PingWay, size?: number): Promise<PingResult>
  /** Runs a netcheck and returns its report. */
  netcheck(): Promise<NetcheckReport>
  /** Returns how a peer stands, or `undefined` for one that is not known. */
  status(peer: PeerId): PeerStatus | undefined
  /** Returns why a peer has the path it has, and what would make it direct; `undefined` for one that is not known. */
  explainPath(peer: PeerId): PathExplanation | undefined
  /** Closes the sockets and every relay link. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens sockets and runs a `MagicSock` on them.
 *
 * Packets and news may come before the promise is fulfilled.
 *
 * @throws Error (with the system's `code`, such as `EADDRINUSE`) when the port cannot be had, and RangeError when the
 * node key is not 32 bytes.
 */
export async function openMagicSock(options: OpenMagicSockOptions = {}): Promise<MagicSockHandle> {
  const sockets = options.sockets ?? (await openUdpSockets({ port: options.port ?? 0 }))
  try {
    return new RunningMagicSock(options, sockets)
  } catch (error) {
    await sockets.close()
    throw error
  }
}
