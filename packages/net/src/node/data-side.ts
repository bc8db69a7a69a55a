// The parts of a node that live and die with its node key: the engine, magicsock under it, and the relays beside.
import type { Report } from '@mesh/control-client'
import type { DnsResolver } from '@mesh/dns'
import { publicKeyOf } from '@mesh/keys'
import { type MagicSockEvent, type PathHabits, type PeerStatus, SENT } from '@mesh/magicsock'
import { type MagicSockHandle, openMagicSock } from '@mesh/magicsock/node'
import type { MapChanges, NetworkMap } from '@mesh/netmap'
import { nodeCrypto } from '@mesh/noise/node'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { DERPMap } from '@mesh/wire/control'
import { formatEndpoint, type IpAddress } from '@mesh/wire/ip'
import type { LinuxDataPlaneEvent } from '@mesh/wireguard/node'
import { Engine, type EngineOptions, type EngineUnderlay } from '../engine.ts'
import { describeNetcheck, netInfo } from '../net-info.ts'
import { type PathsRoom, reconcile, type Rooms } from '../reconcile.ts'
import { rehearseMeeting } from '../rehearsal.ts'
import type { DataPlaneStatus, DropStatus, NetcheckReport, PingResult } from '../status.ts'
import type { OverlayHost } from '../userspace-host.ts'
import { watchAddresses } from './address-watch.ts'
import { localPlane } from './data-plane.ts'
import { forwardQuery } from './forward-query.ts'
import type { HostEnd } from './host-end.ts'
import { IcmpEcho } from './icmp-echo.ts'
import type { NodeOptions } from './node-options.ts'
import { PacketThread } from './packet-thread.ts'
import { PeerRelayHost } from './peer-relay.ts'
import { RelayLinks } from './relay-links.ts'
import { checkCaptivePortal, measureRegion } from './relay-probes.ts'
import { within } from './within.ts'

/** What a data side is opened with. */
export interface DataSideOptions
  extends Pick<NodeOptions, 'port' | 'allowLoopback' | 'plainRelays' | 'log' | 'dataPlane' | 'portMapping'> {
  /** The node's private key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** The host's end, open. */
  readonly host: HostEnd
  readonly dns: DnsResolver
  readonly onPaths: (event: MagicSockEvent) => void
  /** Hears that this machine has other addresses; with `isLost` that one is gone. */
  readonly onNetworkChange: (isLost: boolean) => void
  /** Hears what happens with the packet thread. */
  readonly onThread: (event: LinuxDataPlaneEvent) => void
}

/** How long a netcheck may take, in milliseconds: every probe and its retries, and the look over HTTPS. */
const NETCHECK_PATIENCE = 8000

/** The rooms that outlive a data side. */
export type LastingRooms = Pick<Rooms, 'peers' | 'dns' | 'onHostRoutes'>

/** What of a data side is open already while it is being opened. */
interface OpenedParts {
  sock?: MagicSockHandle
  engine?: Engine
}

/** What a ping found out; the rest of the result is known beforehand. */
export type PingAnswer = Partial<PingResult>

/** Engine, paths and relays of one node key. */
export class DataSide {
  readonly engine: Engine
  /** This node as a peer relay. */
  readonly peerRelay: PeerRelayHost
  readonly sock: MagicSockHandle
  readonly relays: RelayLinks
  readonly #mover: Mover
  readonly #stopWatching: (() => void) | undefined
  #habitTrouble = ''

  private constructor(
    engine: Engine,
    sock: MagicSockHandle,
    peerRelay: PeerRelayHost,
    relays: RelayLinks,
    mover: Mover,
  ) {
    this.engine = engine
    this.peerRelay = peerRelay
    this.sock = sock
    this.relays = relays
    this.#mover = mover
    this.#stopWatching = watchAddresses((changes) => {
      const lost = changes.filter(({ isLost }) => isLost)
      void sock.noteAddressChange(lost.map(({ address }) => address))
    })
  }

  /** Opens sockets and joins the parts. Rejects with the system's error when the port cannot be had, and leaves nothing open. */
  static async open(options: DataSideOptions): Promise<DataSide> {
    rehearseMeeting(nodeCrypto, systemRandom)
    const mover = moverFor(options)
    const opened: OpenedParts = {}
    try {
      return await DataSide.#join(options, mover, opened)
    } catch (error) {
      opened.engine?.close()
      await mover.thread?.close()
      await opened.sock?.close()
      throw error
    }
  }

  /** Opens the parts, each of which stands in `opened` as soon as it is there. */
  static async #join(options: DataSideOptions, mover: Mover, opened: OpenedParts): Promise<DataSide> {
    const { nodeKey, dns, port = 0, allowLoopback = false, plainRelays = false, log } = options
    // Several nodes on one machine are a test; its gateway has nothing to do with it.
    const portMapping = options.portMapping ?? !allowLoopback
    const connection = { privateKey: nodeKey, plain: plainRelays, x25519: nodeCrypto }
    const relays = new RelayLinks(connection, (region, message) =>
      log?.('debug', `relay ${region}: ${message}`),
    )
    const icmp = new IcmpEcho((reason) => log?.('info', `relays are not measured by ICMP: ${reason}`))
    // Packets may come before the socket is handed over; there is nobody to take them yet.
    const sock = (opened.sock = await openMagicSock({
      keys: { nodeKey: publicKeyOf(nodeKey) },
      port,
      allowLoopback,
      relays: { connect: (region, handlers) => relays.connect(region, handlers) },
      pingIcmp: (address) => icmp.ping(address),
      measureRelay: (region) => measureRegion(relays.derpMap?.Regions?.[String(region)], plainRelays),
      onNetworkChange: (isLost) => {
        relays.renew(isLost)
        options.onNetworkChange(isLost)
      },
      onWake: (slept) => {
        log?.('info', 'this machine has slept', { seconds: Math.round(slept / 1000) })
        relays.renew(true)
        opened.engine?.noteSleep(slept)
        options.onNetworkChange(true)
      },
      onRebindFailed: (error) => log?.('warn', `the UDP port cannot be opened again: ${error.message}`),
      checkCaptivePortal: () => checkCaptivePortal(relays.derpMap),
      portMapping,
      x25519: nodeCrypto,
      onPacket: (bytes, _peer, source) => opened.engine?.fromUnderlay(bytes, source),
      onEvent: (event) => {
        if (event.event === 'path-changed') mover.thread?.notePathChange(event.peer)
        if (event.event === 'peer-restarted') opened.engine?.resetPeer(event.peer)
        options.onPaths(event)
      },
      ...(mover.thread ? { sockets: mover.thread.plane.sockets } : {}),
    }))
    const engine = (opened.engine = new Engine({
      privateKey: nodeKey,
      underlay: underlayOf(sock),
      dns,
      clock: systemClock,
      random: systemRandom,
      wallClock: () => Date.now(),
      crypto: nodeCrypto,
      forward: forwardQuery,
      ...mover.engine,
    }))
    mover.thread?.join({ engine, sock })
    engine.setHost(mover.host)
    return new DataSide(engine, sock, new PeerRelayHost(sock, options), relays, mover)
  }

  /** Makes this side agree with a map; `others` are the rooms that outlive it. */
  apply(map: NetworkMap, changes: MapChanges, others: LastingRooms): void {
    const { engine, sock } = this
    engine.setOwnAddresses(map.self.addresses.map(({ address }) => address))
    this.relays.update(map.derpMap)
    reconcile(map, changes, {
      ...others,
      wireguard: { setPeers: (peers) => engine.wireguard.setPeers(peers, systemClock.now()) },
      discoKey: sock.discoKey,
      paths: this.#paths,
      setFilter: (settings) => engine.setFilter(settings),
      setTerms: (terms) => engine.setTerms(terms),
    })
    engine.wake()
  }

  /** Where and how this node can be reached, as control is told. */
  get reach(): Pick<Report, 'endpoints' | 'netInfo'> {
    const { endpoints, report, homeRelay } = this.sock
    return {
      endpoints: endpoints.map(({ endpoint, type }) => ({ endpoint: formatEndpoint(endpoint), type })),
      netInfo: netInfo(report, homeRelay),
    }
  }

  /** What this side cannot do although it is to, as sentences. */
  get troubles(): string[] {
    return [this.peerRelay.trouble, this.#habitTrouble].filter((text) => text !== '')
  }

  /** Who moves the packets. */
  get dataPlane(): DataPlaneStatus {
    return this.#mover.status()
  }

  /** What was thrown away. The gate stands where the packets are moved, and may stand there and here. */
  get drops(): DropStatus {
    const { thread } = this.#mover
    return {
      Gate: occurred(thread ? [this.engine.drops, thread.drops] : [this.engine.drops]),
      WireGuard: occurred([this.engine.wireguard.counters().drops, this.engine.wireguard.handshakeDrops]),
      Paths: occurred([this.sock.drops]),
    }
  }

  /** Returns how a peer stands and what went to and came from it. */
  pathOf(peer: number): PeerStatus | undefined {
    const known = this.sock.status(peer)
    const { thread } = this.#mover
    return known && thread ? { ...known, traffic: thread.addTraffic(peer, known.traffic) } : known
  }

  /**
   * Looks at the network it sits in, and says what there is. A node that knows no relays has nobody to ask, and one that is
   * closed no time: the last report is the answer then.
   */
  async netcheck(derpMap: DERPMap | undefined): Promise<NetcheckReport> {
    const { sock } = this
    await within(
      NETCHECK_PATIENCE,
      sock.netcheck().catch(() => undefined),
    )
    const { report, homeRelay, portMapping } = sock
    return describeNetcheck({ report, homeRelay, portMapping: portMapping?.external, derpMap })
  }

  /** Pings a peer by disco. */
  async pingPath(map: NetworkMap, peer: number, over: 'any' | 'relay', size: number): Promise<PingAnswer> {
    const result = await this.sock.ping(peer, over, size)
    if (!result.ok) return { Err: PING_FAILURES[result.reason] }
    const LatencySeconds = result.latency / 1000
    if ('endpoint' in result) {
      const at = formatEndpoint(result.endpoint)
      if (result.vni === undefined) return { LatencySeconds, Endpoint: at }
      return { LatencySeconds, PeerRelay: `${at}:vni:${result.vni}` }
    }
    const code = map.derpMap?.Regions?.[String(result.region)]?.RegionCode ?? ''
    return { LatencySeconds, DERPRegionID: result.region, DERPRegionCode: code }
  }

  /** Pings an address through the tunnel. */
  async pingThrough(
    map: NetworkMap,
    type: 'TSMP' | 'ICMP',
    destination: IpAddress,
    timeout: number,
  ): Promise<PingAnswer> {
    const own = map.self.addresses.map((prefix) => prefix.address)
    const source = own.find((address) => address.length === destination.length)
    if (!source) return { Err: 'this machine has no address of that family' }
    const latency = await this.engine.ping(type, source, destination, timeout)
    return latency === undefined ? { Err: 'timed out' } : { LatencySeconds: latency / 1000 }
  }

  /** Returns when the last handshake with a peer ended, wall time in milliseconds since 1970. */
  lastHandshakeOf(peer: number): number | undefined {
    const at = this.engine.wireguard.status(peer)?.lastHandshakeAt
    return at === undefined ? undefined : Date.now() - (systemClock.now() - at)
  }

  /** Wipes the keys and closes the sockets: last, since a thread may still be at them. */
  async close(): Promise<void> {
    this.#stopWatching?.()
    this.engine.close()
    await this.peerRelay.close()
    await this.#mover.thread?.close()
    await this.sock.close()
  }

  #setHabits(habits: PathHabits): void {
    const kept = this.sock.setHabits(habits)
    this.#habitTrouble = habits.probePathMtu === true && kept.probePathMtu !== true ? NO_MTU : ''
  }

  get #paths(): PathsRoom {
    return {
      setPeers: (peers) => this.sock.setPeers(peers),
      setHabits: (habits) => this.#setHabits(habits),
      setRelays: (relays) => {
        this.sock.setRelays(relays)
        this.peerRelay.setRelays(relays)
      },
    }
  }
}

const NO_MTU =
  'This node does not find out how large the packets are that paths carry (peer-mtu-enable): its sockets cut large ones up. A node on Linux with a TUN device can.'

/** The sums by reason, of what has happened at all. */
function occurred(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const counts of all)
    for (const [reason, count] of Object.entries(counts))
      if (count > 0) sums[reason] = (sums[reason] ?? 0) + count
  return sums
}

/** Who moves the packets, and how the engine is told of it. */
interface Mover {
  readonly thread?: PacketThread
  readonly host: OverlayHost
  readonly engine: Pick<EngineOptions, 'dataPlane' | 'tellGate'>
  status(): DataPlaneStatus
}

function moverFor({ host, port = 0, dataPlane = 'auto', onThread, log }: DataSideOptions): Mover {
  const { tun, overlay } = host
  if (tun !== undefined) {
    let AEAD = ''
    const thread = new PacketThread(tun, port, (event) => {
      if (event.event === 'ready') AEAD = event.aead
      onThread(event)
    })
    return {
      thread,
      host: { write: (batch) => thread.toHost(batch) },
      engine: {
        dataPlane: (outputs) => thread.open(outputs),
        tellGate: (change) => thread.tellGate(change),
      },
      status: () => ({ Kind: 'linux', AEAD }),
    }
  }
  if (overlay === undefined) throw new Error('the host has no end yet')
  const { status, open } = localPlane(dataPlane, host.whyNoThread)
  log?.(status.Reason ? 'warn' : 'info', 'data plane', { ...status })
  return { host: overlay, engine: open ? { dataPlane: open } : {}, status: () => status }
}

function underlayOf(sock: MagicSockHandle): EngineUnderlay {
  return {
    send: (peer, datagram) => sock.send(peer, datagram) !== SENT.nothing,
    attribute: (source, peer) => sock.attribute(source, peer),
    nameSource: (source) => sock.nameSource(source),
    sendToSource: (source, datagram) => sock.sendToSource(source, datagram),
    learnDiscoKey: (peer, discoKey) => sock.learnDiscoKey(peer, discoKey),
  }
}

const PING_FAILURES = {
  timeout: 'timed out',
  'no-path': 'there is no way to it now, neither direct nor through a relay',
  'unknown-peer': 'the peer is not in the map',
  'expired-peer': "the peer's key has expired",
  closed: 'the node was closed',
} as const
