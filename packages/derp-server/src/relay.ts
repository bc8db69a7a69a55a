// The relay itself. Every connection begins with the relay's key, proves the client's, and then trades frames:
// what one client sends to a key comes out of the connection that this key used last. A packet is never kept for
// somebody who is not there, and nobody's slowness costs anybody else anything (data-plane §2).
import { publicKeyOf, type X25519 } from '@mesh/keys'
import type { Machine, RandomSource } from '@mesh/sansio'
import {
  encodeKeepAlive,
  encodeServerKey,
  FRAME_CLIENT_INFO,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_NOTE_PREFERRED,
  FRAME_PING,
  FRAME_SEND_PACKET,
  FRAME_WATCH_CONNS,
  type Frame,
} from '@mesh/wire/derp'
import { type CloseReason, type Connection, type ConnectionId, newConnection } from './connection.ts'
import { KEEP_ALIVE_JITTER, LOGIN_TIMEOUT, MAX_HELD, WRITE_TIMEOUT } from './constants.ts'
import { openLogin, sealServerInfo } from './login.ts'
import type { RelayStats } from './stats.ts'
import { Switchboard } from './switchboard.ts'

/** What the relay's owner has to do. */
export type RelayOutput =
  /** Write these bytes to the connection's stream, and say so by {@link Relay.handleWritten} when it took them. */
  | { kind: 'write'; connection: ConnectionId; bytes: Uint8Array }
  /** Close the stream; the relay has forgotten it. */
  | { kind: 'close'; connection: ConnectionId; reason: CloseReason }
  /** Decide whether this key may come in, and say so by {@link Relay.handleAdmission} within 10 s. */
  | { kind: 'admit'; connection: ConnectionId; nodeKey: Uint8Array; source: string }

/** What a {@link Relay} is made of. */
export interface RelayOptions {
  /** The relay's private key, 32 bytes. */
  readonly privateKey: Uint8Array
  /** Random bytes for nonces, jitter and the tables' secrets. */
  readonly random: RandomSource
  /** Whether each login waits for an admission; `false` unless given. */
  readonly admission?: boolean
  /** A receiver that takes nothing for this long is cut off; {@link WRITE_TIMEOUT} unless given, 0 is never. */
  readonly writeTimeout?: number
  /** A faster X25519 for logins. */
  readonly x25519?: X25519
}

const NOTHING = new Uint8Array(0)

/**
 * A DERP relay: the login, the forwarding and the manners, without the sockets.
 *
 * The owner calls {@link Relay.handleConnect} for each stream that was upgraded, passes what comes out of it to
 * {@link Relay.handleBytes}, and does what {@link Relay.poll} says. Ids the relay no longer knows are ignored, so
 * a late call for a closed connection is harmless.
 */
export class Relay implements Machine<RelayOutput> {
  /** The relay's public key, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly #privateKey: Uint8Array
  readonly #random: RandomSource
  readonly #x25519: X25519 | undefined
  readonly #admission: boolean
  readonly #writeTimeout: number
  readonly #serverKeyFrame: Uint8Array
  readonly #connections = new Map<ConnectionId, Connection>()
  readonly #switchboard: Switchboard
  #out: RelayOutput[] = []
  #taken = 0
  #lastId = 0
  /** Never later than the earliest deadline of any connection; often earlier, which costs one look around. */
  #wakeAt = Infinity

  /** Throws RangeError when the private key is not 32 bytes. */
  constructor(options: RelayOptions) {
    this.publicKey = publicKeyOf(options.privateKey, options.x25519)
    this.#privateKey = options.privateKey
    this.#random = options.random
    this.#x25519 = options.x25519
    this.#admission = options.admission ?? false
    this.#writeTimeout = options.writeTimeout ?? WRITE_TIMEOUT
    this.#serverKeyFrame = encodeServerKey(this.publicKey)
    this.#switchboard = new Switchboard(options.random, (connection, bytes, now) =>
      this.#write(connection, bytes, now),
    )
  }

  /** Takes a fresh stream and greets it. `source` is the other side's address, for the admission. */
  handleConnect(now: number, source = ''): ConnectionId {
    this.#lastId += 1
    const jitter = (this.#random(1)[0]! / 255) * KEEP_ALIVE_JITTER
    const connection = newConnection(this.#lastId, source, jitter, this.#writeTimeout, now)
    this.#connections.set(connection.id, connection)
    this.#switchboard.counters.accepted += 1
    this.#wakeBy(connection.loginDeadline)
    this.#write(connection, this.#serverKeyFrame, now)
    return connection.id
  }

  /** Takes bytes that came out of the stream. They are not kept once `handleBytes` has returned. */
  handleBytes(id: ConnectionId, bytes: Uint8Array, now: number): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.reader.feed(bytes)
    if (connection.phase === 'admission') this.#hold(connection, bytes.length, now)
    else this.#readFrames(connection, now)
  }

  /** Takes the answer to an `admit`. */
  handleAdmission(id: ConnectionId, admitted: boolean, now: number): void {
    const connection = this.#connections.get(id)
    if (connection?.phase !== 'admission') return
    if (!admitted) return this.#refuse(connection, 'not-admitted', now)
    this.#open(connection, now)
    this.#readFrames(connection, now)
  }

  /** Notes that the stream has taken `length` of the bytes written to it, and sends what waited for that. */
  handleWritten(id: ConnectionId, length: number, now: number): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.outbox.handleWritten(length, now)
    this.#switchboard.flush(connection, now)
    this.#wakeBy(connection.outbox.deadline)
  }

  /** Notes that the stream ended, by whomever. */
  handleClosed(id: ConnectionId, now: number): void {
    const connection = this.#connections.get(id)
    if (connection !== undefined) this.#forget(connection, now)
  }

  /** Sends keep-alives, and closes what is overdue. Harmless when called early. */
  handleTimeout(now: number): void {
    if (now < this.#wakeAt) return
    this.#wakeAt = Infinity
    for (const connection of this.#connections.values()) this.#tick(connection, now)
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): RelayOutput | undefined {
    const output = this.#out[this.#taken]
    if (output !== undefined) {
      this.#taken += 1
      return output
    }
    if (this.#taken > 0) this.#out = []
    this.#taken = 0
    return undefined
  }

  /** Returns when to call {@link Relay.handleTimeout} at the latest; `Infinity` means never. */
  pollTimeout(): number {
    return this.#wakeAt
  }

  /** Returns the counters as they are now. */
  get stats(): RelayStats {
    let homeConnections = 0
    for (const connection of this.#connections.values()) if (connection.preferred) homeConnections += 1
    const { clients, counters } = this.#switchboard
    return {
      ...counters,
      dropped: { ...counters.dropped },
      connections: this.#connections.size,
      clients: clients.size,
      duplicateClients: clients.duplicates,
      homeConnections,
    }
  }

  #readFrames(connection: Connection, now: number): void {
    for (let frame = connection.reader.read(); frame !== undefined; frame = connection.reader.read()) {
      if (connection.phase === 'login') this.#handleLogin(connection, frame, now)
      else this.#handleFrame(connection, frame, now)
      if (connection.phase === 'closed') return
      // What is glued to the login waits in the reader; feeding it nothing makes it keep a copy of its own.
      if (connection.phase === 'admission') return connection.reader.feed(NOTHING)
    }
    if (connection.reader.tooLarge) this.#close(connection, 'bad-frame', now)
  }

  #hold(connection: Connection, length: number, now: number): void {
    connection.reader.feed(NOTHING)
    connection.held += length
    if (connection.held > MAX_HELD) this.#refuse(connection, 'too-much', now)
  }

  // S5: anything but a ClientInfo that opens ends it, without a word.
  #handleLogin(connection: Connection, frame: Frame, now: number): void {
    const login =
      frame.type === FRAME_CLIENT_INFO ? openLogin(frame.payload, this.#privateKey, this.#x25519) : undefined
    if (login === undefined) return this.#refuse(connection, 'bad-login', now)
    connection.login = login
    if (!this.#admission) return this.#open(connection, now)
    connection.phase = 'admission'
    connection.loginDeadline = now + LOGIN_TIMEOUT
    this.#wakeBy(connection.loginDeadline)
    this.#out.push({
      kind: 'admit',
      connection: connection.id,
      nodeKey: login.key,
      source: connection.source,
    })
  }

  #open(connection: Connection, now: number): void {
    const { login } = connection
    if (login === undefined) return
    connection.phase = 'open'
    connection.login = undefined
    connection.loginDeadline = Infinity
    connection.keepAliveAt = now + connection.keepAlive
    this.#wakeBy(connection.keepAliveAt)
    connection.client = this.#switchboard.clients.join(login.key, connection)
    this.#write(connection, sealServerInfo(login.box, this.#random), now)
  }

  #handleFrame(connection: Connection, frame: Frame, now: number): void {
    const { client } = connection
    if (client === undefined) return
    if (client.active !== connection) this.#switchboard.takeOver(client, connection, now)
    switch (frame.type) {
      case FRAME_SEND_PACKET:
        if (!this.#switchboard.send(connection, client, frame.payload, now))
          this.#close(connection, 'bad-frame', now)
        return
      case FRAME_PING:
        if (!this.#switchboard.ping(connection, frame.payload, now)) this.#close(connection, 'bad-frame', now)
        return
      case FRAME_NOTE_PREFERRED:
        if (frame.payload.length !== 1) return this.#close(connection, 'bad-frame', now)
        connection.preferred = frame.payload[0] !== 0
        return
      case FRAME_WATCH_CONNS:
      case FRAME_FORWARD_PACKET:
      case FRAME_CLOSE_PEER:
        return this.#close(connection, 'not-mesh', now)
      default:
        return
    }
  }

  #tick(connection: Connection, now: number): void {
    if (now >= connection.loginDeadline) return this.#refuse(connection, 'login-timeout', now)
    if (now >= connection.outbox.deadline) {
      this.#switchboard.counters.writeTimeouts += 1
      return this.#close(connection, 'write-timeout', now)
    }
    if (now >= connection.keepAliveAt) {
      connection.keepAliveAt = now + connection.keepAlive
      if (connection.outbox.idle) this.#write(connection, encodeKeepAlive(), now)
    }
    this.#wakeBy(Math.min(connection.loginDeadline, connection.outbox.deadline, connection.keepAliveAt))
  }

  #write(connection: Connection, bytes: Uint8Array, now: number): void {
    connection.outbox.handleWrite(bytes.length, now)
    this.#wakeBy(connection.outbox.deadline)
    this.#out.push({ kind: 'write', connection: connection.id, bytes })
  }

  #refuse(connection: Connection, reason: CloseReason, now: number): void {
    this.#switchboard.counters.refused += 1
    this.#close(connection, reason, now)
  }

  #close(connection: Connection, reason: CloseReason, now: number): void {
    if (connection.phase === 'closed') return
    this.#forget(connection, now)
    this.#out.push({ kind: 'close', connection: connection.id, reason })
  }

  #forget(connection: Connection, now: number): void {
    const { client } = connection
    connection.phase = 'closed'
    connection.preferred = false
    this.#connections.delete(connection.id)
    if (client !== undefined) this.#switchboard.leave(client, connection, now)
  }

  #wakeBy(time: number): void {
    if (time < this.#wakeAt) this.#wakeAt = time
  }
}
