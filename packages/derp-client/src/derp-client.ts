// A relay connection as a machine: it asks to be dialled, logs in, trades packets, notices silence, and asks to
// be dialled again. Where the bytes go is its owner's business (data-plane §2.13, §2.14).
import { KEY_LENGTH, publicKeyOf, type X25519 } from '@mesh/keys'
import type { Machine, RandomSource } from '@mesh/sansio'
import {
  encodeClosePeer,
  encodeForwardPacket,
  encodeNotePreferred,
  encodeSendPacket,
  encodeWatchConns,
  MAX_PACKET_LENGTH,
} from '@mesh/wire/derp'
import { Backoff } from './backoff.ts'
import { CONNECT_TIMEOUT, MAX_BACKOFF } from './constants.ts'
import { DerpError } from './errors.ts'
import type { Counters, DerpOutput, DerpStats } from './output.ts'
import { SendQueue } from './send-queue.ts'
import { Session, type SessionOwner } from './session.ts'

/** What a {@link DerpClient} is made of. */
export interface DerpClientOptions {
  /** This node's private key, 32 bytes; kept, not copied. */
  readonly privateKey: Uint8Array
  /** Random bytes for nonces, ping data and back-off. */
  readonly random: RandomSource
  /** Whether this region is the node's home, told to the server after each login. */
  readonly preferred?: boolean
  /** The secret of the relay's mesh, 32 bytes: this client is then a mesh peer, if the relay has the same. */
  readonly meshKey?: Uint8Array
  /** Asks after each login to be told who is at the relay; only mesh peers may. */
  readonly watch?: boolean
  /** A faster X25519 for logins. */
  readonly x25519?: X25519
}

/** Between attempts, waiting for a stream, with a stream, or at the end. */
type Phase = 'waiting' | 'dialling' | 'up' | 'closed'

/**
 * A connection to one relay region that comes back by itself, without the sockets.
 *
 * It wants to be dialled at once: `poll` says so. One input, then drain, then the next input.
 */
export class DerpClient implements Machine<DerpOutput> {
  readonly #owner: SessionOwner
  readonly #backoff: Backoff
  readonly #queue = new SendQueue()
  readonly #counters: Counters = { sent: 0, received: 0, dropped: 0, ignored: 0, connects: 0 }
  #out: DerpOutput[] = []
  #taken = 0
  #phase: Phase = 'dialling'
  #session: Session | undefined
  readonly #watch: boolean
  #preferred: boolean
  /** Whether the stream asked to be spared until it drains. */
  #full = false
  /** When the present phase is over, unless something happens. May be early, which costs one look. */
  #wakeAt: number

  /** Starts at `now` by asking to be dialled. Throws RangeError when a key is not 32 bytes. */
  constructor(options: DerpClientOptions, now: number) {
    const { privateKey, random, x25519, meshKey } = options
    if (meshKey !== undefined && meshKey.length !== KEY_LENGTH)
      throw new RangeError(`meshKey has ${meshKey.length} bytes, not ${KEY_LENGTH}`)
    this.#owner = {
      privateKey,
      publicKey: publicKeyOf(privateKey, x25519),
      random,
      x25519,
      meshKey,
      counters: this.#counters,
      emit: (output) => this.#out.push(output),
    }
    this.#preferred = options.preferred ?? false
    this.#watch = options.watch ?? false
    this.#backoff = new Backoff(random)
    this.#wakeAt = now + CONNECT_TIMEOUT
    this.#out.push({ kind: 'dial' })
  }

  /** Whether the server has accepted the login of the present connection. */
  get connected(): boolean {
    return this.#session !== undefined && this.#session.acceptedAt !== Infinity
  }

  /** Returns what was counted so far. */
  get stats(): DerpStats {
    return { ...this.#counters }
  }

  /**
   * Notes that the stream asked for by `dial` is open and upgraded.
   *
   * @param serverKey - The server's public key, when its certificate has told it already: the login then goes out
   * at once, and the greeting is not waited for (fast start, §2.3).
   */
  handleOpened(now: number, serverKey?: Uint8Array): void {
    if (this.#phase !== 'dialling') return
    this.#phase = 'up'
    this.#full = false
    this.#session = new Session(this.#owner, serverKey, now)
    if (this.#session.ready) this.#handleReady(this.#session, now)
  }

  /** Notes that dialling failed or that the stream ended. */
  handleClosed(now: number, cause?: unknown): void {
    if (this.#phase !== 'dialling' && this.#phase !== 'up') return
    if (cause instanceof DerpError) return this.#lose(cause, now)
    const message = cause instanceof Error ? cause.message : 'the relay hung up'
    this.#lose(new DerpError('ERR_DERP_CLOSED', message, { cause }), now)
  }

  /** Takes bytes that came out of the stream. */
  handleBytes(bytes: Uint8Array, now: number): void {
    const session = this.#session
    if (session === undefined) return
    const wasReady = session.ready
    const error = session.handleBytes(bytes, now)
    if (session.ready && !wasReady) this.#handleReady(session, now)
    if (error !== undefined) this.#abandon(error, now)
  }

  /** Notes that the stream's buffer is full: from now on packets wait. */
  handleFull(): void {
    this.#full = true
  }

  /** Notes that the stream has drained, and sends what waited. */
  handleDrained(now: number): void {
    this.#full = false
    this.#flush(now)
  }

  /**
   * Sends a packet to the node with this key, at once or as soon as the connection is up and drains; the oldest
   * of more than 32 that wait is dropped. A packet longer than 65,536 bytes is dropped at once.
   */
  send(to: Uint8Array, packet: Uint8Array, now: number): void {
    if (packet.length > MAX_PACKET_LENGTH) this.#counters.dropped += 1
    else this.#sendFrame(encodeSendPacket({ destination: to, packet }), now)
  }

  /**
   * Hands a packet from `source` to the relay's own client `destination`, as only a mesh peer may; otherwise like
   * {@link DerpClient.send}.
   */
  forward(source: Uint8Array, destination: Uint8Array, packet: Uint8Array, now: number): void {
    if (packet.length > MAX_PACKET_LENGTH) this.#counters.dropped += 1
    else this.#sendFrame(encodeForwardPacket({ source, destination, packet }), now)
  }

  /** Asks the relay to hang up on a client, as only a mesh peer may. Nothing happens while there is no connection. */
  closePeer(nodeKey: Uint8Array): void {
    if (this.#session?.ready) this.#write(encodeClosePeer(nodeKey))
  }

  /** Tells the server whether this region is the node's home, now and after every login to come. */
  notePreferred(preferred: boolean): void {
    if (preferred === this.#preferred) return
    this.#preferred = preferred
    if (this.#session?.ready) this.#write(encodeNotePreferred(preferred))
  }

  /** Asks the server for an echo. Silence of 3 s ends the connection; while there is none, nothing happens. */
  ping(now: number): void {
    if (this.#session === undefined) return
    this.#session.ping(now)
    if (this.#session.ready) this.#wakeAt = Math.min(this.#wakeAt, this.#session.deadline)
  }

  /** Ends the connection for good. Idempotent. */
  close(): void {
    if (this.#phase === 'closed') return
    if (this.#phase !== 'waiting') this.#out.push({ kind: 'hang-up' })
    this.#phase = 'closed'
    this.#session = undefined
    this.#wakeAt = Infinity
  }

  /** Dials again when it is time, and gives up a connection that is silent. Harmless when called early. */
  handleTimeout(now: number): void {
    if (now < this.#wakeAt) return
    if (this.#phase === 'waiting') return this.#dial(now)
    if (!this.#session?.ready) {
      return this.#abandon(new DerpError('ERR_DERP_CONNECT_TIMEOUT', 'the relay did not answer in time'), now)
    }
    this.#wakeAt = this.#session.deadline
    if (now < this.#wakeAt) return
    this.#abandon(new DerpError('ERR_DERP_SILENT', 'the relay fell silent'), now)
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): DerpOutput | undefined {
    const output = this.#out[this.#taken]
    if (output !== undefined) {
      this.#taken += 1
      return output
    }
    if (this.#taken > 0) this.#out = []
    this.#taken = 0
    return undefined
  }

  /** Returns when to call {@link DerpClient.handleTimeout} at the latest; `Infinity` means never. */
  pollTimeout(): number {
    return this.#wakeAt
  }

  #dial(now: number): void {
    this.#phase = 'dialling'
    this.#wakeAt = now + CONNECT_TIMEOUT
    this.#out.push({ kind: 'dial' })
  }

  #handleReady(session: Session, now: number): void {
    this.#wakeAt = session.deadline
    if (this.#preferred) this.#write(encodeNotePreferred(true))
    if (this.#watch) this.#write(encodeWatchConns())
    this.#flush(now)
  }

  #sendFrame(frame: Uint8Array, now: number): void {
    if (this.#phase === 'closed') this.#counters.dropped += 1
    else if (this.#session?.ready && !this.#full) this.#transmit(this.#session, frame, now)
    else if (this.#queue.push(frame)) this.#counters.dropped += 1
  }

  #flush(now: number): void {
    const session = this.#session
    if (!session?.ready) return
    while (!this.#full) {
      const frame = this.#queue.shift()
      if (frame === undefined) return
      this.#transmit(session, frame, now)
    }
  }

  #transmit(session: Session, frame: Uint8Array, now: number): void {
    if (!session.allows(frame.length, now)) {
      this.#counters.dropped += 1
      return
    }
    this.#counters.sent += 1
    this.#write(frame)
  }

  #write(bytes: Uint8Array): void {
    this.#out.push({ kind: 'write', bytes })
  }

  #abandon(error: DerpError, now: number): void {
    this.#out.push({ kind: 'hang-up' })
    this.#lose(error, now)
  }

  // A server that says yes and then hangs up at once must not be dialled in a tight loop: only a connection
  // that lasted starts the waiting over (threat 28).
  #lose(error: DerpError, now: number): void {
    const lasted = now - (this.#session?.acceptedAt ?? Infinity)
    if (lasted >= MAX_BACKOFF) this.#backoff.reset()
    const retryIn = this.#backoff.next()
    this.#phase = 'waiting'
    this.#session = undefined
    this.#wakeAt = now + retryIn
    this.#out.push({ kind: 'event', event: 'disconnected', error, retryIn })
  }
}
