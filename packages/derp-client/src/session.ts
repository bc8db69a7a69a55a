// One connection from its first byte to its last: the server's greeting, the login, and what the frames mean
// (data-plane §2.5, §2.6). It never outlives its stream; coming back is the business of derp-client.ts.
import { BOX_NONCE_LENGTH, type BoxKey, formatHexKey, precomputeBox, sealBox, type X25519 } from '@mesh/keys'
import { type RandomSource, TokenBucket } from '@mesh/sansio'
import {
  clientFrameLimit,
  DERP_VERSION,
  decodeHealth,
  decodePeerGone,
  decodePeerPresent,
  decodePing,
  decodeRecvPacket,
  decodeRestarting,
  decodeServerKey,
  encodeClientInfo,
  encodePing,
  encodePong,
  encodeSealedClientInfo,
  FRAME_HEALTH,
  FRAME_KEEP_ALIVE,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RECV_PACKET,
  FRAME_RESTARTING,
  FRAME_SERVER_INFO,
  FRAME_SERVER_KEY,
  type Frame,
  FrameReader,
  PING_LENGTH,
} from '@mesh/wire/derp'
import { LIVENESS_TIMEOUT, PING_TIMEOUT } from './constants.ts'
import { DerpError } from './errors.ts'
import type { Counters, DerpOutput } from './output.ts'
import { openServerInfo } from './server-info.ts'

/** Who logs in, and where the session's outputs and counts go. */
export interface SessionOwner {
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
  readonly random: RandomSource
  readonly x25519: X25519 | undefined
  readonly meshKey: Uint8Array | undefined
  readonly counters: Counters
  emit(output: DerpOutput): void
}

/** One connection to one relay. */
export class Session {
  readonly #owner: SessionOwner
  readonly #reader = new FrameReader(clientFrameLimit)
  #serverKey: Uint8Array | undefined
  #box: BoxKey | undefined
  #acceptedAt = Infinity
  /** The bytes that the server lets it send. What exceeds them is dropped, not delayed: senders of datagrams know how to slow down. */
  #allowed: TokenBucket | undefined
  #lastFrameAt: number
  #pinged: { readonly data: Uint8Array; readonly at: number } | undefined

  /** Logs in as soon as the server's key is known: now, when the owner learned it beforehand, else from the greeting. */
  constructor(owner: SessionOwner, serverKey: Uint8Array | undefined, now: number) {
    this.#owner = owner
    this.#lastFrameAt = now
    if (serverKey !== undefined) this.#logIn(serverKey)
  }

  /** Whether the login is written. Packets may follow at once; the server's yes is not waited for (§2.13). */
  get ready(): boolean {
    return this.#box !== undefined
  }

  /** When the server said yes to the login; Infinity before that. */
  get acceptedAt(): number {
    return this.#acceptedAt
  }

  /** When the connection is dead unless something comes. */
  get deadline(): number {
    const silent = this.#lastFrameAt + LIVENESS_TIMEOUT
    return this.#pinged === undefined ? silent : Math.min(silent, this.#pinged.at + PING_TIMEOUT)
  }

  /** Takes bytes from the stream; returns the error that ends the connection, if they hold one. */
  handleBytes(bytes: Uint8Array, now: number): DerpError | undefined {
    this.#reader.feed(bytes)
    for (let frame = this.#reader.read(); frame !== undefined; frame = this.#reader.read()) {
      this.#lastFrameAt = now
      const error = this.#box === undefined ? this.#greet(frame) : this.#handleFrame(frame, this.#box, now)
      if (error !== undefined) return error
    }
    if (!this.#reader.tooLarge) return undefined
    return new DerpError('ERR_DERP_FRAME_TOO_LARGE', 'the relay claimed a frame of more than 1 MiB')
  }

  /** Whether the rate that the server asked for allows `length` more bytes (C8). */
  allows(length: number, now: number): boolean {
    return this.#allowed?.take(now, length) ?? true
  }

  /** Asks for an echo, unless one is on its way. */
  ping(now: number): void {
    if (!this.ready || this.#pinged !== undefined) return
    this.#pinged = { data: this.#owner.random(PING_LENGTH), at: now }
    this.#owner.emit({ kind: 'write', bytes: encodePing(this.#pinged.data) })
  }

  #greet(frame: Frame): DerpError | undefined {
    const serverKey = frame.type === FRAME_SERVER_KEY ? decodeServerKey(frame.payload) : undefined
    // Not slice(): of a Buffer that would be a view.
    if (serverKey !== undefined && this.#logIn(new Uint8Array(serverKey))) return undefined
    return new DerpError('ERR_DERP_BAD_MAGIC', 'the other side does not speak DERP')
  }

  #logIn(serverKey: Uint8Array): boolean {
    const { privateKey, publicKey, random, x25519, meshKey } = this.#owner
    const box = precomputeBox(privateKey, serverKey, x25519)
    if (box === undefined) return false
    const nonce = random(BOX_NONCE_LENGTH)
    const info = encodeClientInfo({
      version: DERP_VERSION,
      canAckPings: true,
      isProber: false,
      ...(meshKey === undefined ? {} : { meshKey: formatHexKey(meshKey) }),
    })
    const bytes = encodeSealedClientInfo({ clientKey: publicKey, nonce, box: sealBox(box, nonce, info) })
    this.#owner.emit({ kind: 'write', bytes })
    this.#serverKey = serverKey
    this.#box = box
    return true
  }

  #handleFrame(frame: Frame, box: BoxKey, now: number): DerpError | undefined {
    const { payload } = frame
    switch (frame.type) {
      case FRAME_RECV_PACKET:
        this.#handlePacket(payload)
        break
      case FRAME_SERVER_INFO:
        return this.#handleServerInfo(payload, box, now)
      case FRAME_PEER_GONE:
        this.#handlePeerGone(payload)
        break
      case FRAME_PEER_PRESENT:
        this.#handlePeerPresent(payload)
        break
      case FRAME_PING:
        this.#handlePing(payload)
        break
      case FRAME_PONG:
        this.#handlePong(payload, now)
        break
      case FRAME_HEALTH:
        this.#owner.emit({ kind: 'event', event: 'health', problem: decodeHealth(payload) })
        break
      case FRAME_RESTARTING:
        this.#handleRestarting(payload)
        break
      case FRAME_KEEP_ALIVE:
        this.#owner.emit({ kind: 'event', event: 'keep-alive' })
        break
      case FRAME_SERVER_KEY:
        break
      default:
        this.#ignore()
    }
    return undefined
  }

  #handlePacket(payload: Uint8Array): void {
    const message = decodeRecvPacket(payload)
    if (message === undefined) return this.#ignore()
    this.#owner.counters.received += 1
    this.#owner.emit({ kind: 'packet', source: message.source, packet: message.packet })
  }

  #handleServerInfo(payload: Uint8Array, box: BoxKey, now: number): DerpError | undefined {
    if (this.#acceptedAt !== Infinity || this.#serverKey === undefined) return undefined
    const info = openServerInfo(payload, box)
    if (info === undefined)
      return new DerpError('ERR_DERP_BAD_SERVER_INFO', 'the relay does not hold its own key')
    const perSecond = info.tokenBucketBytesPerSecond ?? 0
    if (perSecond > 0)
      this.#allowed = new TokenBucket(info.tokenBucketBytesBurst ?? perSecond, 1_000 / perSecond, now)
    this.#acceptedAt = now
    this.#owner.counters.connects += 1
    this.#owner.emit({ kind: 'event', event: 'connected', serverKey: this.#serverKey })
    return undefined
  }

  #handlePeerGone(payload: Uint8Array): void {
    const message = decodePeerGone(payload)
    if (message === undefined) return this.#ignore()
    const nodeKey = new Uint8Array(message.peer)
    this.#owner.emit({ kind: 'event', event: 'peer-gone', nodeKey, reason: message.reason })
  }

  #handlePeerPresent(payload: Uint8Array): void {
    const message = decodePeerPresent(payload)
    if (message === undefined) return this.#ignore()
    const { flags, endpoint } = message
    this.#owner.emit({
      kind: 'event',
      event: 'peer-present',
      nodeKey: new Uint8Array(message.peer),
      flags,
      ...(endpoint === undefined
        ? {}
        : { endpoint: { address: new Uint8Array(endpoint.address), port: endpoint.port } }),
    })
  }

  #handlePing(payload: Uint8Array): void {
    const data = decodePing(payload)
    if (data === undefined) return this.#ignore()
    this.#owner.emit({ kind: 'write', bytes: encodePong(data) })
  }

  #handlePong(payload: Uint8Array, now: number): void {
    const data = decodePing(payload)
    if (data === undefined) return this.#ignore()
    const pinged = this.#pinged
    if (pinged === undefined || !data.every((byte, i) => byte === pinged.data[i])) return
    this.#pinged = undefined
    this.#owner.emit({ kind: 'event', event: 'pong', roundTrip: now - pinged.at })
  }

  #handleRestarting(payload: Uint8Array): void {
    const message = decodeRestarting(payload)
    if (message === undefined) return this.#ignore()
    this.#owner.emit({ kind: 'event', event: 'restarting', ...message })
  }

  #ignore(): void {
    this.#owner.counters.ignored += 1
  }
}
