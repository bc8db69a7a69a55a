// Who gets what: from the key on a packet to a connection's stream, its queues, or a sibling relay, and the word to
// those left behind when somebody goes (data-plane §2.7 to §2.10).
import type { RandomSource } from '@mesh/sansio'
import {
  decodeForwardPacket,
  decodePing,
  decodeSendPacket,
  encodeHealth,
  encodePeerGone,
  encodePong,
  type ForwardPacket,
  PEER_GONE_DISCONNECTED,
  PEER_GONE_NOT_HERE,
} from '@mesh/wire/derp'
import { looksLikeDisco } from '@mesh/wire/disco'
import { type Client, Clients, isPresent, type SiblingId } from './clients.ts'
import type { Connection } from './connection.ts'
import { RECV_OVERHEAD, Slab, writeRecvPacket } from './slab.ts'
import { type Counters, newCounters } from './stats.ts'

const FIGHTING =
  'Two machines use this node key at the same time. Copies of a machine need keys of their own.'
const HEALTHY = ''

/** Where the switchboard's work goes. */
export interface Lines {
  /** Hands bytes to a connection's stream. */
  write(connection: Connection, bytes: Uint8Array, now: number): void
  /** Hands a packet to a sibling relay; the fields may view the bytes being handled. */
  forward(sibling: SiblingId, packet: ForwardPacket): void
}

/** Forwards packets between the connections that are open, and to siblings. */
export class Switchboard {
  readonly clients: Clients<Connection>
  readonly counters: Counters = newCounters()
  /** The siblings that are other parts of this same relay. */
  readonly parts = new Set<SiblingId>()
  /** The siblings that are relays of their own and linked to this very part. */
  readonly direct = new Set<SiblingId>()
  readonly #lines: Lines
  readonly #slab = new Slab()
  /** Clients of which two connections have been seen to speak in turn. */
  readonly #fighting = new Set<Client<Connection>>()

  constructor(random: RandomSource, lines: Lines) {
    this.clients = new Clients(random)
    this.#lines = lines
  }

  /** Takes the payload of a SendPacket; returns `false` when it is none. */
  send(from: Connection, client: Client<Connection>, payload: Uint8Array, now: number): boolean {
    const message = decodeSendPacket(payload)
    if (message === undefined) return false
    const { destination, packet } = message
    this.counters.packetsReceived += 1
    this.counters.bytesReceived += packet.length
    const to = this.clients.get(destination)
    if (to?.active !== undefined) this.#deliver(client.key, client, to.active, packet, now)
    else if (to !== undefined) this.#sendOn(client.key, to, packet)
    else this.#notHere(from, destination, packet, now)
    return true
  }

  /** Takes the payload of a ForwardPacket; returns `false` when it is none. */
  receiveForwarded(payload: Uint8Array, now: number): boolean {
    const message = decodeForwardPacket(payload)
    if (message === undefined) return false
    const to = this.clients.get(message.destination)
    // To another part of this same relay it may go on.
    const part = to?.active === undefined ? to?.links[0] : undefined
    if (part !== undefined && this.parts.has(part)) this.#lines.forward(part, message)
    else this.deliverForwarded(message, now)
    return true
  }

  /** Takes a packet from another part of this same relay: for a client that is here, or at a sibling linked to this part. */
  receiveFromPart(packet: ForwardPacket, now: number): void {
    const to = this.clients.get(packet.destination)
    const sibling = to?.connections.size === 0 ? to.links.find((link) => this.direct.has(link)) : undefined
    if (sibling === undefined) return this.deliverForwarded(packet, now)
    this.counters.packetsForwardedOut += 1
    this.#lines.forward(sibling, packet)
  }

  /** Delivers a packet that a sibling sent on. It is never sent on again, so that packets cannot go round. */
  deliverForwarded({ source, destination, packet }: ForwardPacket, now: number): void {
    this.counters.packetsForwardedIn += 1
    const client = this.clients.get(destination)
    // Two parts may each think that the other one has it.
    const to = client?.active ?? client?.connections.values().next().value
    if (to === undefined) this.counters.dropped.unknown_dest_on_fwd += 1
    else this.#deliver(source, this.clients.get(source), to, packet, now)
  }

  /** Answers a ping; returns `false` when it is too short. Of pings that come faster than answers leave, one is kept. */
  ping(from: Connection, payload: Uint8Array, now: number): boolean {
    const data = decodePing(payload)
    if (data === undefined) return false
    const pong = encodePong(data)
    if (from.outbox.idle) this.#lines.write(from, pong, now)
    else from.pong = pong
    return true
  }

  /** Makes a connection that spoke the one that receives. That both speak says that two machines share the key. */
  takeOver(client: Client<Connection>, connection: Connection, now: number): void {
    client.active = connection
    if (client.connections.size === 1) return
    if (this.#fighting.has(client)) return
    this.#fighting.add(client)
    for (const each of client.connections) this.#tell(each, encodeHealth(FIGHTING), now)
  }

  /** Sends what waits and fits into the window. */
  flush(connection: Connection, now: number): void {
    const { outbox, pong } = connection
    if (pong !== undefined && !outbox.overfull) {
      connection.pong = undefined
      this.#lines.write(connection, pong, now)
    }
    for (let next = outbox.shift(); next !== undefined; next = outbox.shift()) {
      this.#handOver(next.source, connection, next.frame, now)
    }
  }

  /**
   * Takes an open connection out; a client that is then nowhere in the region is announced to whoever heard from it
   * (S11). Returns whether it was the client's last connection here.
   */
  leave(client: Client<Connection>, connection: Connection, now: number): boolean {
    for (const heard of connection.heard) heard.audience.delete(connection)
    this.counters.dropped.gone_disconnected += connection.outbox.waiting
    const last = this.clients.leave(client, connection)
    if (!last) this.#makePeace(client, now)
    else this.#fighting.delete(client)
    this.#announceIfGone(client, now)
    return last
  }

  /** Notes that a sibling no longer has a client, which may leave the region by that. */
  unlink(client: Client<Connection>, sibling: SiblingId, now: number): void {
    this.clients.unlink(client, sibling)
    this.#announceIfGone(client, now)
  }

  #announceIfGone(client: Client<Connection>, now: number): void {
    if (isPresent(client)) return
    for (const listener of client.audience) {
      listener.heard.delete(client)
      this.#tell(listener, encodePeerGone({ peer: client.key, reason: PEER_GONE_DISCONNECTED }), now)
    }
    client.audience.clear()
  }

  #sendOn(source: Uint8Array, to: Client<Connection>, packet: Uint8Array): void {
    this.counters.packetsForwardedOut += 1
    // The first sibling that said so, for as long as it does: packets of one client keep to one way (§2.9).
    this.#lines.forward(to.links[0]!, { source, destination: to.key, packet })
  }

  #deliver(
    key: Uint8Array,
    source: Client<Connection> | undefined,
    to: Connection,
    packet: Uint8Array,
    now: number,
  ): void {
    if (to.outbox.idle) return this.#handOver(source, to, this.#slab.recvPacket(key, packet), now)
    // What waits for a slow one has memory of its own, so that it holds on to nothing else.
    const disco = looksLikeDisco(packet)
    const frame = to.outbox.memoryFor(RECV_OVERHEAD + packet.length, disco)
    writeRecvPacket(frame, key, packet)
    if (to.outbox.push({ source, frame }, disco)) this.counters.dropped.queue_head += 1
  }

  #handOver(source: Client<Connection> | undefined, to: Connection, frame: Uint8Array, now: number): void {
    // A packet may outlive its sender in the queue; nobody will announce that one any more.
    if (source !== undefined && isPresent(source) && !to.heard.has(source)) {
      source.audience.add(to)
      to.heard.add(source)
    }
    this.counters.packetsSent += 1
    this.counters.bytesSent += frame.length - RECV_OVERHEAD
    this.#lines.write(to, frame, now)
  }

  // Only disco is answered: it is how a sender learns that a path leads nowhere. Data gets silence (S10).
  #notHere(from: Connection, key: Uint8Array, packet: Uint8Array, now: number): void {
    this.counters.dropped.unknown_dest += 1
    if (looksLikeDisco(packet) && from.notHere.take(now)) {
      this.#tell(from, encodePeerGone({ peer: key, reason: PEER_GONE_NOT_HERE }), now)
    }
  }

  #makePeace(client: Client<Connection>, now: number): void {
    if (client.connections.size !== 1 || !this.#fighting.delete(client)) return
    for (const last of client.connections) this.#tell(last, encodeHealth(HEALTHY), now)
  }

  // The relay's own small frames pass the queues by; a stream that takes nothing does not get even those.
  #tell(connection: Connection, frame: Uint8Array, now: number): void {
    if (!connection.outbox.overfull) this.#lines.write(connection, frame, now)
  }
}
