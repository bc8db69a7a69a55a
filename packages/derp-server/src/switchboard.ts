// Who gets what: from the key on a packet to a connection's stream or its queues, and the word to those left
// behind when somebody goes (data-plane §2.7, §2.8, §2.10).
import type { RandomSource } from '@mesh/sansio'
import {
  decodePing,
  decodeSendPacket,
  encodeHealth,
  encodePeerGone,
  encodePong,
  encodeRecvPacket,
  FRAME_HEADER_LENGTH,
  PEER_GONE_DISCONNECTED,
  PEER_GONE_NOT_HERE,
} from '@mesh/wire/derp'
import { looksLikeDisco } from '@mesh/wire/disco'
import { type Client, Clients } from './clients.ts'
import type { Connection } from './connection.ts'
import { type Counters, newCounters } from './stats.ts'

/** Bytes before the packet in a RecvPacket frame: header and source key. */
const RECV_OVERHEAD = FRAME_HEADER_LENGTH + 32

const FIGHTING =
  'Two machines use this node key at the same time. Copies of a machine need keys of their own.'
const HEALTHY = ''

/** Hands bytes to a connection's stream. */
type Write = (connection: Connection, bytes: Uint8Array, now: number) => void

/** Forwards packets between the connections that are open. */
export class Switchboard {
  readonly clients: Clients<Connection>
  readonly counters: Counters = newCounters()
  readonly #write: Write
  /** Clients of which two connections have been seen to speak in turn. */
  readonly #fighting = new Set<Client<Connection>>()

  constructor(random: RandomSource, write: Write) {
    this.clients = new Clients(random)
    this.#write = write
  }

  /** Takes the payload of a SendPacket; returns `false` when it is none. */
  send(from: Connection, client: Client<Connection>, payload: Uint8Array, now: number): boolean {
    const message = decodeSendPacket(payload)
    if (message === undefined) return false
    const { destination, packet } = message
    this.counters.packetsReceived += 1
    this.counters.bytesReceived += packet.length
    const to = this.clients.get(destination)
    if (to === undefined) this.#notHere(from, destination, packet, now)
    else this.#deliver(client, to.active, packet, now)
    return true
  }

  /** Answers a ping; returns `false` when it is too short. Of pings that come faster than answers leave, one is kept. */
  ping(from: Connection, payload: Uint8Array, now: number): boolean {
    const data = decodePing(payload)
    if (data === undefined) return false
    const pong = encodePong(data)
    if (from.outbox.idle) this.#write(from, pong, now)
    else from.pong = pong
    return true
  }

  /** Makes a connection that spoke the one that receives. That both speak says that two machines share the key. */
  takeOver(client: Client<Connection>, connection: Connection, now: number): void {
    client.active = connection
    if (this.#fighting.has(client)) return
    this.#fighting.add(client)
    for (const each of client.connections) this.#tell(each, encodeHealth(FIGHTING), now)
  }

  /** Sends what waits and fits into the window. */
  flush(connection: Connection, now: number): void {
    const { outbox, pong } = connection
    if (pong !== undefined && !outbox.overfull) {
      connection.pong = undefined
      this.#write(connection, pong, now)
    }
    for (let next = outbox.shift(); next !== undefined; next = outbox.shift()) {
      this.#handOver(next.source, connection, next.frame, now)
    }
  }

  /** Takes an open connection out; the last one of its client is announced to whoever heard from it (S11). */
  leave(client: Client<Connection>, connection: Connection, now: number): void {
    for (const heard of connection.heard) heard.audience.delete(connection)
    this.counters.dropped.gone_disconnected += connection.outbox.waiting
    if (!this.clients.leave(client, connection)) return this.#makePeace(client, now)
    this.#fighting.delete(client)
    for (const listener of client.audience) {
      listener.heard.delete(client)
      this.#tell(listener, encodePeerGone({ peer: client.key, reason: PEER_GONE_DISCONNECTED }), now)
    }
    client.audience.clear()
  }

  #deliver(source: Client<Connection>, to: Connection, packet: Uint8Array, now: number): void {
    const frame = encodeRecvPacket({ source: source.key, packet })
    if (to.outbox.idle) return this.#handOver(source, to, frame, now)
    if (to.outbox.push({ source, frame }, looksLikeDisco(packet))) this.counters.dropped.queue_head += 1
  }

  #handOver(source: Client<Connection>, to: Connection, frame: Uint8Array, now: number): void {
    // A packet may outlive its sender in the queue; nobody will announce that one any more.
    if (source.connections.size > 0 && !to.heard.has(source)) {
      source.audience.add(to)
      to.heard.add(source)
    }
    this.counters.packetsSent += 1
    this.counters.bytesSent += frame.length - RECV_OVERHEAD
    this.#write(to, frame, now)
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
    if (!connection.outbox.overfull) this.#write(connection, frame, now)
  }
}
