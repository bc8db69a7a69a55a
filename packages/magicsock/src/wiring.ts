// How the rooms of a magicsock hear of each other. Each room says what it needs of the others by an interface of its
// own; here those are filled.
import type { RandomSource } from '@mesh/sansio'
import type { DiscoMessage } from '@mesh/wire/disco'
import { encodeGeneve, GENEVE_DISCO } from '@mesh/wire/geneve'
import type { Conversation } from './conversation.ts'
import type { DiscoDirectory } from './disco-directory.ts'
import type { DropReason } from './drops.ts'
import type { Hop } from './hop.ts'
import type { OtherWays } from './other-ways.ts'
import type { MagicSockOutput } from './output.ts'
import type { PeerId } from './peer-config.ts'
import { TunnelSeeker } from './peer-relay/tunnel-seeker.ts'
import type { Peer } from './peer.ts'
import { Doors } from './port-search/doors.ts'
import { PortSearch } from './port-search/port-search.ts'
import { Receiver } from './receiver.ts'
import type { Sources } from './sources.ts'
import type { Surroundings } from './surroundings.ts'

/** The rooms that others lean on, and what all of them may do. */
export interface Rooms {
  readonly directory: DiscoDirectory
  readonly surroundings: Surroundings
  readonly conversation: Conversation
  readonly sources: Sources
  /** Finds a peer. */
  peer(id: PeerId): Peer | undefined
  /** Has the owner do something. */
  put(output: MagicSockOutput): void
  /** Counts a dropped packet. */
  drop(reason: DropReason): void
  /** Says that there may be outputs, or another timeout. */
  rearm(): void
}

/** Returns the datagram that carries a disco packet to a hop: the packet itself, or in a tunnel's header. */
export function discoDatagram(to: Hop, packet: Uint8Array, control: boolean): Uint8Array {
  const { vni } = to
  return vni === undefined ? packet : encodeGeneve({ protocol: GENEVE_DISCO, control, vni, payload: packet })
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
    pingThrough: (peer, to, now) => conversation.sendPing(peer, to, 'tunnel', 0, now),
  })
}

/** Returns the two sides of a search for ports. */
export function openPortSearch(rooms: Rooms, random: RandomSource): { doors: Doors; search: PortSearch } {
  const { surroundings, conversation } = rooms
  const host = {
    get report() {
      return surroundings.report
    },
    get loopback() {
      return surroundings.loopback
    },
    tell: (peer: Peer, message: DiscoMessage, now: number) => void conversation.tell(peer, message, now),
    knock: (peer: Peer, to: Hop, now: number) => conversation.sendPing(peer, to, 'search', 0, now),
    probe: (peer: Peer, to: Hop, now: number) => conversation.sendPing(peer, to, 'search', 0, now),
    closeDoor: (door: number) => rooms.put({ kind: 'close-door', door }),
  }
  return { doors: new Doors(host), search: new PortSearch(random, host) }
}

/** Returns the receiver of datagrams. */
export function openReceiver(rooms: Rooms, otherWays: OtherWays): Receiver {
  const { surroundings, conversation } = rooms
  return new Receiver(rooms.sources, {
    handleDisco: (packet, from, now) => {
      rooms.rearm()
      conversation.handlePacket(packet, from, now)
    },
    handleControl: (packet, from, now) => {
      rooms.rearm()
      return otherWays.handleControl(packet, from, now)
    },
    handleStun: (bytes, now) => {
      rooms.rearm()
      return surroundings.handleResponse(bytes, now)
    },
    peer: (id) => rooms.peer(id),
    drop: (reason) => rooms.drop(reason),
  })
}
