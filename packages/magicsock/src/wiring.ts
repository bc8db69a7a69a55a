// How the rooms of a magicsock hear of each other. Each room says what it needs of the others by an interface of its
// own; here those are filled.
import type { RandomSource } from '@mesh/sansio'
import type { DiscoMessage } from '@mesh/wire/disco'
import { encodeGeneve, GENEVE_DISCO } from '@mesh/wire/geneve'
import type { AskedPings } from './asked-pings.ts'
import type { Calls } from './calls.ts'
import { Conversation } from './conversation.ts'
import type { DiscoDirectory } from './disco-directory.ts'
import type { DropReason } from './drops.ts'
import type { PathHabits } from './habits.ts'
import type { Hop } from './hop.ts'
import type { MagicSockOptions } from './options.ts'
import type { OtherWays } from './other-ways.ts'
import type { MagicSockOutput } from './output.ts'
import { pathOf } from './peer-path.ts'
import { unasked } from './pings.ts'
import { sortedPair } from './peer-relay/tunnel-request.ts'
import { TunnelSeeker } from './peer-relay/tunnel-seeker.ts'
import type { PeerRows } from './peer-rows.ts'
import type { PeerSet } from './peer-set.ts'
import type { Peer, PeerHost } from './peer.ts'
import { Doors } from './port-search/doors.ts'
import { PortSearch } from './port-search/port-search.ts'
import { Receiver } from './receiver.ts'
import type { Relays } from './relays.ts'
import type { Sources } from './sources.ts'
import { Surroundings, type SurroundingsHost } from './surroundings.ts'

/** What is there before the rooms, and what all of them may do. */
export interface Ground {
  readonly random: RandomSource
  readonly directory: DiscoDirectory
  readonly relays: Relays
  readonly sources: Sources
  readonly rows: PeerRows
  /** The peers, once there are any. */
  peers(): PeerSet
  /** The other ways, once they are there. */
  otherWays(): OtherWays
  /** Has the owner do something. */
  put(output: MagicSockOutput): void
  /** Counts a dropped packet. */
  drop(reason: DropReason): void
  /** Says that there may be outputs, or another timeout. */
  rearm(): void
}

/** The rooms that others lean on. */
export interface Rooms extends Ground {
  readonly surroundings: Surroundings
  readonly conversation: Conversation
}

const SEARCH = unasked('search')

/** Returns the datagram that carries a disco packet to a hop: the packet itself, or in a tunnel's header. */
export function discoDatagram(to: Hop, packet: Uint8Array, control: boolean): Uint8Array {
  const { vni } = to
  return vni === undefined ? packet : encodeGeneve({ protocol: GENEVE_DISCO, control, vni, payload: packet })
}

/** Returns the surroundings, which look around for as long as the machine is not idle. */
export function openSurroundings(
  { random, allowLoopback, fixedPort, ...can }: MagicSockOptions,
  ground: Ground,
  machine: Pick<SurroundingsHost, 'isIdle' | 'noteSurroundings'>,
): Surroundings {
  const { relays } = ground
  return new Surroundings(
    { random, allowLoopback: allowLoopback === true, fixedPort: fixedPort === true },
    {
      ...machine,
      sendStun: (to, bytes) => ground.put({ kind: 'datagram', to, bytes }),
      measureRelay: can.canMeasureRelays
        ? (region) => ground.put({ kind: 'measure-relay', region })
        : undefined,
      pingRelay: can.canPingRelays
        ? (region, address) => ground.put({ kind: 'ping-relay', region, address })
        : undefined,
      checkCaptivePortal: can.canCheckCaptivePortal
        ? () => ground.put({ kind: 'check-captive-portal' })
        : undefined,
      get home() {
        return relays.home
      },
      get homeHeardAt() {
        return relays.homeHeardAt
      },
    },
  )
}

/** Returns the conversation by disco. */
export function openConversation(
  nodeKey: Uint8Array,
  ground: Ground,
  surroundings: Surroundings,
  asked: AskedPings,
): Conversation {
  const { directory, random, relays, sources } = ground
  return new Conversation(directory, nodeKey, random, {
    transmit: (to, packet) => ground.put({ kind: 'datagram', to, bytes: discoDatagram(to, packet, false) }),
    transmitRelay: (region, peer, bytes, now) => {
      relays.noteWrite(region, now)
      ground.put({ kind: 'relay', region, to: peer.config.nodeKey, bytes })
    },
    relayFor: (peer, now) => relays.route(peer.id, peer.config.homeRelay, now),
    peerByKey: (key) => ground.peers().byKey(key),
    noteSource: (from, peer) => sources.assign(from, peer),
    handleOtherWays: (message, peer, now) => ground.otherWays().handleMessage(message, peer, now),
    noteTunnelPing: (from, now) => ground.otherWays().handleTunnelPing(from, now),
    noteTunnelPong: (ping, now) => ground.otherWays().handleTunnelPong(ping, now),
    noteResult: (ping, result) => asked.end(ping, result),
    noteSeen: (peer, observer, seen, now) => surroundings.noteSeen(peer, observer, seen, now),
    drop: (reason) => ground.drop(reason),
  })
}

/** Returns what peers ask of the machine. `timed` is the set of those that have a timer; `habits` says how paths are kept now. */
export function hostForPeers(
  rooms: Rooms,
  calls: Calls,
  timed: Set<Peer>,
  habits: () => PathHabits,
): PeerHost {
  const { surroundings, conversation, relays, random } = rooms
  return {
    rows: rooms.rows,
    get loopback() {
      return surroundings.loopback
    },
    get isV4Translated() {
      return surroundings.isV4Translated
    },
    random,
    get isSilent() {
      return habits().silentDisco === true
    },
    get probesMtu() {
      return habits().probePathMtu === true
    },
    probesLifetime: ({ disco }) =>
      habits().probeUdpLifetime === true && disco !== undefined && isFirst(rooms.directory.ownKey, disco.key),
    sendPing: (peer, to, errand, now) => conversation.sendPing(peer, to, errand, now),
    sendCallMeMaybe: (peer, now) => calls.make(peer, now),
    seekOtherWays: (peer, now) => rooms.otherWays().seek(peer, now),
    noteDoor: (peer, door, now) => rooms.otherWays().noteGuest(door, peer, now),
    noteTimer: (peer) => {
      timed.add(peer)
      rooms.rearm()
    },
    notePathChange: (peer) =>
      rooms.put({ kind: 'event', event: 'path-changed', peer: peer.id, path: pathOf(peer, relays) }),
  }
}

function isFirst(own: Uint8Array, theirs: Uint8Array): boolean {
  return sortedPair(own, theirs)[0] === own
}

/** Returns the seeker of tunnels on peer relays. */
export function openTunnels(rooms: Rooms): TunnelSeeker {
  const { directory, surroundings, conversation } = rooms
  return new TunnelSeeker({
    ownDisco: directory.ownKey,
    get loopback() {
      return surroundings.loopback
    },
    guest: (key) => directory.guest(key),
    openFrom: (guest, packet) => directory.openFrom(guest, packet),
    tell: (peer, message, now) => void conversation.tell(peer, message, now),
    sendControl: (server, to, message) => {
      const packet = directory.seal(server, message)
      if (packet !== undefined) rooms.put({ kind: 'datagram', to, bytes: discoDatagram(to, packet, true) })
    },
    pingThrough: (peer, to, now) => conversation.sendPing(peer, to, unasked('tunnel'), now),
    drop: (reason) => rooms.drop(reason),
  })
}

/** Returns the two sides of a search for ports. */
export function openPortSearch(rooms: Rooms): { doors: Doors; search: PortSearch } {
  const { surroundings, conversation, random } = rooms
  const host = {
    get report() {
      return surroundings.report
    },
    get loopback() {
      return surroundings.loopback
    },
    isSeenAlike: (now: number) => surroundings.isSeenAlike(now),
    tell: (peer: Peer, message: DiscoMessage, now: number) => void conversation.tell(peer, message, now),
    knock: (peer: Peer, to: Hop, now: number) => conversation.sendPing(peer, to, SEARCH, now),
    probe: (peer: Peer, to: Hop, now: number) => conversation.sendPing(peer, to, SEARCH, now),
    closeDoor: (door: number) => rooms.put({ kind: 'close-door', door }),
  }
  return { doors: new Doors(host), search: new PortSearch(random, host) }
}

/** Returns the receiver of datagrams. */
export function openReceiver(rooms: Rooms, otherWays: OtherWays): Receiver {
  const { surroundings, conversation } = rooms
  return new Receiver(rooms.sources, rooms.rows, {
    handleDisco: (packet, from, now) => {
      rooms.rearm()
      conversation.handlePacket(packet, from, now)
    },
    handleRelayedDisco: (packet, region, peer, now) => {
      rooms.rearm()
      conversation.handlePacket(packet, { region, peer }, now)
    },
    handleControl: (packet, from, now) => {
      rooms.rearm()
      return otherWays.handleControl(packet, from, now)
    },
    handleStun: (bytes, now) => {
      rooms.rearm()
      return surroundings.handleResponse(bytes, now)
    },
    peer: (id) => rooms.peers().get(id),
    drop: (reason) => rooms.drop(reason),
  })
}
