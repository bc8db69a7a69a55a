// The relay itself. Every connection begins with the relay's key, proves the client's, and then trades frames:
// what one client sends to a key comes out of the connection that this key used last. A packet is never kept for
// somebody who is not there, and nobody's slowness costs anybody else anything (data-plane §2).
import { publicKeyOf, type X25519 } from '@mesh/keys'
import type { Machine, RandomSource } from '@mesh/sansio'
import {
  decodeClosePeer,
  encodeKeepAlive,
  encodeServerKey,
  FRAME_CLIENT_INFO,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_NOTE_PREFERRED,
  FRAME_PING,
  FRAME_SEND_PACKET,
  FRAME_WATCH_CONNS,
  type ForwardPacket,
  type Frame,
} from '@mesh/wire/derp'
import { Allowance, type ReceiveLimit } from './allowance.ts'
import type { SiblingId } from './clients.ts'
import {
  type CloseReason,
  type Connection,
  type ConnectionId,
  newConnection,
  type Origin,
} from './connection.ts'
import {
  KEEP_ALIVE_JITTER,
  LOGIN_TIMEOUT,
  MAX_HELD,
  MESH_WRITE_TIMEOUT,
  PART_TIMEOUT,
  WRITE_TIMEOUT,
} from './constants.ts'
import { type Login, openLogin, sealServerInfo } from './login.ts'
import { checkMeshKey, isMeshKey } from './mesh-key.ts'
import type { RelayOutput } from './output.ts'
import { type Quota, Quotas, type SharedQuota } from './quotas.ts'
import { type SiblingOptions, Siblings } from './siblings.ts'
import type { RelayStats } from './stats.ts'
import { Switchboard } from './switchboard.ts'
import { presentFlags, Watchers } from './watchers.ts'

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
  /** The secret that the relays of one mesh share, 32 bytes; without it nobody is a mesh peer. */
  readonly meshKey?: Uint8Array
  /** What one client may send; mesh peers are exempt. No limit unless given. */
  readonly receiveLimit?: ReceiveLimit
  /** Says by `presence` which keys are here, for the other parts of one relay; `false` unless given. */
  readonly announce?: boolean
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
  readonly #meshKey: Uint8Array | undefined
  readonly #announces: boolean
  readonly #connections = new Map<ConnectionId, Connection>()
  readonly #switchboard: Switchboard
  readonly #watchers: Watchers
  readonly #siblings: Siblings
  readonly #quotas = new Quotas()
  #receiveLimit: ReceiveLimit | undefined
  #out: RelayOutput[] = []
  #taken = 0
  #lastId = 0
  /** Never later than the earliest deadline of any connection; often earlier, which costs one look around. */
  #wakeAt = Infinity

  /** Throws RangeError when a key is not 32 bytes, or the mesh key all zeros. */
  constructor(options: RelayOptions) {
    this.publicKey = publicKeyOf(options.privateKey, options.x25519)
    this.#privateKey = options.privateKey
    this.#random = options.random
    this.#x25519 = options.x25519
    this.#admission = options.admission ?? false
    this.#writeTimeout = options.writeTimeout ?? WRITE_TIMEOUT
    this.#serverKeyFrame = encodeServerKey(this.publicKey)
    checkMeshKey(options.meshKey)
    this.#meshKey = options.meshKey
    this.#announces = options.announce ?? false
    this.#receiveLimit = options.receiveLimit
    const write = (connection: Connection, bytes: Uint8Array, now: number): void =>
      this.#write(connection, bytes, now)
    this.#switchboard = new Switchboard(options.random, {
      write,
      forward: (sibling, packet) => this.#out.push({ kind: 'forward', sibling, ...packet }),
    })
    this.#watchers = new Watchers(write, (connection, now) => this.#close(connection, 'slow-watcher', now))
    this.#siblings = new Siblings(this.#switchboard, this.#watchers, (nodeKey, present, beyond) =>
      this.#announce(nodeKey, present, beyond),
    )
  }

  /** Takes a fresh stream and greets it. `origin` is the other side's address, or all that is known of it. */
  handleConnect(now: number, origin: string | Origin = ''): ConnectionId {
    this.#lastId += 1
    const jitter = (this.#random(1)[0]! / 255) * KEEP_ALIVE_JITTER
    const from = typeof origin === 'string' ? { source: origin } : origin
    const connection = newConnection(this.#lastId, from, jitter, this.#writeTimeout, now)
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
    if (connection.allowance !== undefined || connection.account !== undefined)
      this.#charge(connection, bytes.length, now)
  }

  /** Takes the answer to an `admit`; `quota` is what the client shares with others of its identity. */
  handleAdmission(id: ConnectionId, admitted: boolean, now: number, quota?: Quota | SharedQuota): void {
    const connection = this.#connections.get(id)
    if (connection?.phase !== 'admission' || connection.login === undefined) return
    if (!admitted) return this.#refuse(connection, 'not-admitted', now)
    if (quota !== undefined) connection.account = this.#quotas.join(quota, now)
    this.#open(connection, connection.login, now)
    this.#readFrames(connection, now)
  }

  /** Notes that the stream has taken `length` of the bytes written to it, and sends what waited for that. */
  handleWritten(id: ConnectionId, length: number, now: number): void {
    const connection = this.#connections.get(id)
    if (connection === undefined) return
    connection.outbox.handleWritten(length, now)
    this.#flush(connection, now)
    this.#wakeBy(connection.outbox.deadline)
  }

  /** Notes that the stream ended, by whomever. */
  handleClosed(id: ConnectionId, now: number): void {
    const connection = this.#connections.get(id)
    if (connection !== undefined) this.#forget(connection, now)
  }

  /** Changes what one client may send, for those that are here too; `undefined` lifts the limit. */
  setReceiveLimit(limit: ReceiveLimit | undefined, now: number): void {
    this.#receiveLimit = limit
    for (const connection of this.#connections.values()) {
      if (connection.client === undefined || connection.mesh) continue
      connection.allowance = limit && new Allowance(limit, now)
      this.#resume(connection)
    }
  }

  /** Takes the link to a sibling relay: from now on it may be said to have clients, and be handed packets. */
  handleSiblingUp(options: SiblingOptions = {}): SiblingId {
    return this.#siblings.up(options)
  }

  /** Notes that a sibling has a client. Of several that say so of one key, the first is believed. */
  handlePeerPresent(sibling: SiblingId, nodeKey: Uint8Array, now: number): void {
    this.#siblings.present(sibling, nodeKey, now)
  }

  /** Notes that another part of this relay knows of a connection, and hands over what is for its client. */
  handleAware(id: ConnectionId, sibling: SiblingId, now: number): void {
    const connection = this.#connections.get(id)
    if (connection !== undefined) this.#noteAware(connection, sibling, now)
  }

  /** Takes a packet that another part of this relay has for a client of this one, or of its siblings. */
  handleForwarded(packet: ForwardPacket, now: number): void {
    this.#switchboard.receiveFromPart(packet, now)
  }

  /** Notes that another part had no room for a packet that was to be forwarded. */
  handlePartFull(): void {
    this.#switchboard.counters.dropped.part_full += 1
  }

  /** Hangs up on every connection of a key, as another part of this relay asks. */
  handleClosePeer(nodeKey: Uint8Array, now: number): void {
    const client = this.#switchboard.clients.get(nodeKey)
    for (const connection of [...(client?.connections ?? [])]) this.#close(connection, 'mesh-request', now)
  }

  /** Returns the keys that are connected to this relay now. */
  get nodeKeys(): Uint8Array[] {
    return this.#siblings.keysHere()
  }

  /** Returns the keys that this relay's siblings, other than its own parts, have now. */
  get nodeKeysBeyond(): Uint8Array[] {
    return this.#siblings.keysBeyond()
  }

  /** Notes that a sibling has a client no longer; whoever heard from it is told if it is nowhere else. */
  handlePeerGone(sibling: SiblingId, nodeKey: Uint8Array, now: number): void {
    this.#siblings.gone(sibling, nodeKey, now)
  }

  /** Notes that the link to a sibling ended, and all that it said with it. */
  handleSiblingDown(sibling: SiblingId, now: number): void {
    this.#siblings.down(sibling, now)
    for (const connection of this.#connections.values()) this.#noteAware(connection, sibling, now)
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

  /** Whether everything that is to be sent to anybody has been taken by the streams. */
  get drained(): boolean {
    for (const { outbox } of this.#connections.values()) if (!outbox.empty) return false
    return true
  }

  /** Returns the counters as they are now. */
  get stats(): RelayStats {
    let homeConnections = 0
    let meshPeers = 0
    for (const connection of this.#connections.values()) {
      if (connection.preferred) homeConnections += 1
      if (connection.mesh) meshPeers += 1
    }
    const { clients, counters } = this.#switchboard
    return {
      ...counters,
      dropped: { ...counters.dropped },
      closed: { ...counters.closed },
      connections: this.#connections.size,
      clients: clients.size,
      clientsElsewhere: clients.elsewhere,
      meshPeers,
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
    connection.mesh = isMeshKey(login.info.meshKey, this.#meshKey)
    if (!this.#admission || connection.mesh) return this.#open(connection, login, now)
    connection.phase = 'admission'
    connection.loginDeadline = now + LOGIN_TIMEOUT
    this.#wakeBy(connection.loginDeadline)
    this.#out.push({
      kind: 'admit',
      connection: connection.id,
      nodeKey: login.key,
      source: connection.origin.source,
    })
  }

  #open(connection: Connection, login: Login, now: number): void {
    connection.phase = 'open'
    connection.keepAliveAt = now + connection.keepAlive
    this.#wakeBy(connection.keepAliveAt)
    connection.client = this.#switchboard.clients.join(login.key, connection)
    connection.flags = presentFlags(login.info, connection.mesh, connection.origin.notIdeal ?? false)
    if (connection.mesh) connection.outbox.setTimeout(this.#writeTimeout && MESH_WRITE_TIMEOUT)
    else if (this.#receiveLimit !== undefined) connection.allowance = new Allowance(this.#receiveLimit, now)
    this.#watchers.came(connection, now)
    this.#announce(login.key, true, false, connection.id)
    if (!this.#announces || this.#switchboard.parts.size === 0) return this.#answerLogin(connection, now)
    // Who is told of this client the moment that it is let in may be at any part, and has to reach it from there.
    connection.unaware = new Set(this.#switchboard.parts)
    connection.outbox.cork()
    connection.loginDeadline = now + PART_TIMEOUT
    this.#wakeBy(connection.loginDeadline)
  }

  #noteAware(connection: Connection, sibling: SiblingId, now: number): void {
    if (connection.unaware?.delete(sibling) && connection.unaware.size === 0)
      this.#answerLogin(connection, now)
  }

  // The answer is the first that a client gets; what came for it meanwhile follows.
  #answerLogin(connection: Connection, now: number): void {
    const { login } = connection
    connection.login = undefined
    connection.unaware = undefined
    connection.loginDeadline = Infinity
    if (login !== undefined) this.#write(connection, sealServerInfo(login.box, this.#random), now)
    connection.outbox.uncork()
    this.#flush(connection, now)
  }

  #flush(connection: Connection, now: number): void {
    if (connection.news.length > 0) this.#watchers.flush(connection, now)
    this.#switchboard.flush(connection, now)
  }

  #announce(nodeKey: Uint8Array, present: boolean, beyond = false, connection?: ConnectionId): void {
    if (this.#announces) this.#out.push({ kind: 'presence', nodeKey, present, beyond, connection })
  }

  #handleFrame(connection: Connection, frame: Frame, now: number): void {
    const { client } = connection
    if (client === undefined) return
    if (client.active !== connection) {
      if (client.active === undefined) this.#announce(client.key, true)
      this.#switchboard.takeOver(client, connection, now)
    }
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
        if (!connection.mesh) return this.#close(connection, 'not-mesh', now)
        if (!this.#handleMeshFrame(connection, frame, now)) this.#close(connection, 'bad-frame', now)
        return
      default:
        return
    }
  }

  #handleMeshFrame(connection: Connection, frame: Frame, now: number): boolean {
    switch (frame.type) {
      case FRAME_FORWARD_PACKET:
        return this.#switchboard.receiveForwarded(frame.payload, now)
      case FRAME_WATCH_CONNS:
        // Watching oneself is of no use, and harmless (§2.9).
        this.#watchers.watch(connection, this.#siblings.everybody(), now)
        return frame.payload.length === 0
      default:
        return this.#closePeer(decodeClosePeer(frame.payload), now)
    }
  }

  #closePeer(nodeKey: Uint8Array | undefined, now: number): boolean {
    if (nodeKey === undefined) return false
    this.handleClosePeer(nodeKey, now)
    for (const sibling of this.#switchboard.parts)
      this.#out.push({ kind: 'close-peer', sibling, nodeKey: new Uint8Array(nodeKey) })
    return true
  }

  // What came is done with already: only what comes next has to wait.
  #charge(connection: Connection, length: number, now: number): void {
    const own = connection.allowance?.spend(length, now) ?? 0
    const shared = connection.account?.allowance.spend(length, now) ?? 0
    const wait = Math.max(own, shared)
    if (wait === 0 || connection.phase === 'closed') return
    if (connection.resumeAt === Infinity) {
      this.#switchboard.counters.pauses += 1
      this.#out.push({ kind: 'pause', connection: connection.id })
    }
    connection.resumeAt = now + wait
    this.#wakeBy(connection.resumeAt)
  }

  #resume(connection: Connection): void {
    if (connection.resumeAt === Infinity) return
    connection.resumeAt = Infinity
    this.#out.push({ kind: 'resume', connection: connection.id })
  }

  #tick(connection: Connection, now: number): void {
    if (now >= connection.loginDeadline) {
      if (connection.phase !== 'open') return this.#refuse(connection, 'login-timeout', now)
      this.#answerLogin(connection, now)
    }
    if (now >= connection.outbox.deadline) {
      this.#switchboard.counters.writeTimeouts += 1
      return this.#close(connection, 'write-timeout', now)
    }
    if (now >= connection.keepAliveAt) {
      connection.keepAliveAt = now + connection.keepAlive
      if (connection.outbox.idle) this.#write(connection, encodeKeepAlive(), now)
    }
    if (now >= connection.resumeAt) this.#resume(connection)
    const { loginDeadline, keepAliveAt, resumeAt } = connection
    this.#wakeBy(Math.min(loginDeadline, connection.outbox.deadline, keepAliveAt, resumeAt))
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
    const { closed } = this.#switchboard.counters
    closed[reason] = (closed[reason] ?? 0) + 1
    this.#forget(connection, now)
    this.#out.push({ kind: 'close', connection: connection.id, reason })
  }

  #forget(connection: Connection, now: number): void {
    const { client } = connection
    connection.phase = 'closed'
    connection.preferred = false
    this.#connections.delete(connection.id)
    this.#watchers.leave(connection)
    if (connection.account !== undefined) this.#quotas.leave(connection.account)
    if (client === undefined) return
    const last = this.#switchboard.leave(client, connection, now)
    if (!last) return
    this.#announce(client.key, false)
    if (!this.#siblings.hasAnywhere(client.key)) this.#watchers.went(client.key, now)
  }

  #wakeBy(time: number): void {
    if (time < this.#wakeAt) this.#wakeAt = time
  }
}
