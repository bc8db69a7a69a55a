// One TCP connection (RFC 9293 section 3.10): which state it is in and what a segment, a request of the program or
// the time makes of it. Sending and receiving proper are the two halves'; this holds them together.
import {
  decodeTcpOptions,
  encodeTcpOptions,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  type TcpHeader,
  type TcpSegment,
} from '@mesh/wire/ip'
import { KeepAlive } from './keep-alive.ts'
import type { ReassemblyBudget } from './reassembly.ts'
import { RoundTrip } from './round-trip.ts'
import { seqAdd, seqDiff } from './sequence.ts'
import { TcpReceiver } from './tcp-receiver.ts'
import { TcpSender } from './tcp-sender.ts'

/**
 * Why a connection is over: both sides said that they are done, the peer refused it or broke it off, nobody answered,
 * or its own side broke it off.
 */
export type TcpCloseReason = 'done' | 'refused' | 'reset' | 'timeout' | 'aborted'

/** What a connection tells its owner. */
export interface TcpSignals {
  /** Send this segment. */
  segment(header: TcpHeader, payload: Uint8Array): void
  /** Both sides agreed. */
  opened(): void
  /** Bytes arrived, in order; they may be views of the segment just handled. */
  data(bytes: Uint8Array): void
  /** The peer sends no more. */
  ended(): void
  /** There is room again after it had run out. */
  writable(): void
  /** It is over. Said once. */
  closed(reason: TcpCloseReason): void
}

/** How a connection is made. */
export interface TcpConnectionOptions {
  /** The first sequence number; random, or a stranger could forge segments. */
  readonly initialSequence: number
  /** The largest segment that fits our MTU. */
  readonly maximumSegmentSize: number
  /** What to take a peer's to be that does not say: 536 by IPv4, 1220 by IPv6. */
  readonly defaultSegmentSize: number
  /** What it may keep of bytes that came ahead of their turn, together with others. */
  readonly reassembly: ReassemblyBudget
  /** Where to say what happens. */
  readonly signals: TcpSignals
}

type State =
  | 'idle'
  | 'syn-sent'
  | 'syn-received'
  | 'established'
  | 'fin-wait-1'
  | 'fin-wait-2'
  | 'close-wait'
  | 'closing'
  | 'last-ack'
  | 'time-wait'
  | 'closed'

/** Bytes held for each direction of a connection. */
export const TCP_BUFFER = 256 * 1024
/** How far windows are shifted (RFC 7323), so that 16 bits can say {@link TCP_BUFFER}. */
const WINDOW_SCALE = 3
const MAX_WINDOW_FIELD = 0xffff
/** Handshake segments sent before giving up. */
const MAX_SYNS = 6
/** How long an acknowledgment may wait for company, in milliseconds (RFC 9293 allows 500). */
const DELAYED_ACK = 40
/** How long old segments may still be on their way, twice (RFC 9293's 2 MSL, as Linux has it). */
const TIME_WAIT = 60_000
/** Answers to segments that do not fit, in a second (RFC 5961): two confused peers must not shout at each other. */
const CHALLENGES_PER_SECOND = 10
const EMPTY = new Uint8Array(0)

/** A connection between two endpoints. */
export class TcpConnection {
  readonly #signals: TcpSignals
  readonly #options: TcpConnectionOptions
  readonly #handshake = new RoundTrip()
  #state: State = 'idle'
  readonly #sender: TcpSender
  readonly #keepAlive = new KeepAlive()
  #receiver: TcpReceiver
  #segmentSize: number
  #synsSent = 0
  #synSentAt = 0
  #synDueAt = Infinity
  #scaling = false
  #peerScale = 0
  #ackAt = Infinity
  #unacked = 0
  #advertised = 0
  #timeWaitEndsAt = Infinity
  #wantsRoom = false
  #challenges = { second: -Infinity, sent: 0 }

  constructor(options: TcpConnectionOptions) {
    this.#options = options
    this.#signals = options.signals
    this.#segmentSize = options.maximumSegmentSize
    this.#receiver = new TcpReceiver(0, TCP_BUFFER, options.reassembly)
    const first = seqAdd(options.initialSequence, 1)
    this.#sender = new TcpSender(first, TCP_BUFFER, (sequence, payload, { fin, push }) => {
      this.#emit(sequence, TCP_ACK | (fin ? TCP_FIN : 0) | (push ? TCP_PSH : 0), payload)
    })
  }

  /** Whether it is over and nothing of it needs to be remembered. */
  get gone(): boolean {
    return this.#state === 'closed'
  }

  /** Whether the handshake is still under way. */
  get opening(): boolean {
    return this.#state === 'syn-sent' || this.#state === 'syn-received'
  }

  /** When {@link TcpConnection.handleTimeout} is due. */
  get timeoutAt(): number {
    const own = Math.min(this.#synDueAt, this.#ackAt, this.#timeWaitEndsAt, this.#keepAlive.dueAt)
    return Math.min(own, this.#sender.timeoutAt)
  }

  /** Opens the connection from this side. */
  connect(now: number): void {
    this.#state = 'syn-sent'
    this.#sendSyn(now)
  }

  /** Answers a SYN: opens the connection from the other side. */
  accept(syn: TcpSegment, now: number): void {
    this.#state = 'syn-received'
    this.#takeSyn(syn)
    this.#sendSyn(now)
  }

  /** Whether a SYN may open the same pair of endpoints anew although this connection is remembered (RFC 6191). */
  yieldsTo(syn: TcpSegment): boolean {
    return this.#state === 'time-wait' && seqDiff(syn.sequence, this.#receiver.next) > 0
  }

  /** Takes bytes to send, as many as there is room for, and returns how many. */
  send(bytes: Uint8Array, now: number): number {
    if (!this.#canSend()) return 0
    const taken = this.#sender.queue(bytes)
    this.#wantsRoom = taken < bytes.length
    if (!this.opening) this.#sender.transmit(now)
    return taken
  }

  /** The program has taken so many of the bytes that arrived. */
  consume(length: number): void {
    this.#receiver.consume(length)
    if (this.opening || this.#state === 'closed' || this.#state === 'idle') return
    const opened = seqDiff(this.#windowEdge(), this.#advertised)
    if (opened >= Math.min(TCP_BUFFER / 2, 2 * this.#options.maximumSegmentSize)) this.#acknowledge()
  }

  /** Says that this side sends no more, after what was queued. */
  end(now: number): void {
    if (!this.#canSend()) return
    this.#sender.queueFin()
    if (this.opening) return
    this.#state = this.#state === 'established' ? 'fin-wait-1' : 'last-ack'
    this.#sender.transmit(now)
  }

  /** Breaks the connection off and tells the peer. */
  abort(): void {
    if (this.#state === 'closed' || this.#state === 'time-wait') return
    const tell = this.#state !== 'syn-sent' && this.#state !== 'idle'
    if (tell) this.#emit(this.#sender.next, TCP_RST | TCP_ACK)
    this.#close('aborted')
  }

  /** Takes a segment of this connection whose checksum is right. */
  handleSegment(segment: TcpSegment, now: number): void {
    if (this.#state === 'closed') return
    if (this.#state === 'syn-sent') return this.#handleInSynSent(segment, now)
    const fin = (segment.flags & TCP_FIN) !== 0
    const syn = (segment.flags & TCP_SYN) !== 0
    const length = segment.payload.length + (fin ? 1 : 0) + (syn ? 1 : 0)
    if ((segment.flags & TCP_RST) !== 0) return this.#handleReset(segment, now)
    if (!this.#receiver.accepts(segment.sequence, length)) return this.#handleOutside(segment, now)
    if (syn) return this.#challenge(now)
    if ((segment.flags & TCP_ACK) === 0) return
    if (this.#state === 'syn-received' && !this.#completeHandshake(segment, now)) return
    if (!this.#takeAcknowledgment(segment, now)) return
    this.#takeData(segment, fin, now)
    if (!this.gone) this.#sender.transmit(now)
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    if (this.#timeWaitEndsAt <= now) return this.forget()
    if (this.#synDueAt <= now) this.#resendSyn(now)
    if (this.#state === 'closed') return
    if (this.#sender.timeoutAt <= now && !this.#sender.handleTimeout(now)) return this.#close('timeout')
    if (this.#ackAt <= now) this.#acknowledge()
    if (this.#keepAlive.dueAt <= now) this.#askWhetherAlive(now)
  }

  /** A byte that the peer has already: it answers that. */
  #askWhetherAlive(now: number): void {
    if (this.#sender.timeoutAt !== Infinity) this.#keepAlive.postpone(now)
    else if (this.#keepAlive.ask(now)) this.#emit(seqAdd(this.#sender.next, -1), TCP_ACK)
    else this.#close('timeout')
  }

  // The handshake.

  #handleInSynSent(segment: TcpSegment, now: number): void {
    const acknowledges = (segment.flags & TCP_ACK) !== 0
    const good = segment.acknowledgment === seqAdd(this.#options.initialSequence, 1)
    if (acknowledges && !good) {
      if ((segment.flags & TCP_RST) === 0) this.#emitReset(segment.acknowledgment)
      return
    }
    if ((segment.flags & TCP_RST) !== 0) {
      if (acknowledges) this.#close('refused')
      return
    }
    if ((segment.flags & TCP_SYN) === 0) return
    this.#takeSyn(segment)
    if (!acknowledges) {
      // Both opened at once: answer as the other side of the same connection.
      this.#state = 'syn-received'
      this.#synsSent = 0
      return this.#sendSyn(now)
    }
    this.#establish(segment, segment.window, now)
    this.#acknowledge()
    this.#sender.transmit(now)
  }

  /** Reads what the peer's SYN settles: where it begins, its segment size, whether windows are scaled. */
  #takeSyn(segment: TcpSegment): void {
    const options = decodeTcpOptions(segment.options)
    const { maximumSegmentSize, defaultSegmentSize } = this.#options
    const peerSize = Math.max(64, options.maximumSegmentSize ?? defaultSegmentSize)
    this.#segmentSize = Math.min(maximumSegmentSize, peerSize)
    this.#receiver = new TcpReceiver(seqAdd(segment.sequence, 1), TCP_BUFFER, this.#options.reassembly)
    this.#scaling = options.windowScale !== undefined
    this.#peerScale = options.windowScale ?? 0
  }

  #sendSyn(now: number): void {
    const answering = this.#state === 'syn-received'
    const offerScale = !answering || this.#scaling
    const options = encodeTcpOptions({
      maximumSegmentSize: this.#options.maximumSegmentSize,
      ...(offerScale ? { windowScale: WINDOW_SCALE } : {}),
    })
    this.#signals.segment(
      {
        sequence: this.#options.initialSequence,
        acknowledgment: answering ? this.#receiver.next : 0,
        flags: TCP_SYN | (answering ? TCP_ACK : 0),
        window: Math.min(MAX_WINDOW_FIELD, this.#receiver.window),
        options,
      },
      EMPTY,
    )
    this.#synsSent += 1
    this.#synSentAt = now
    this.#synDueAt = now + this.#handshake.timeout
  }

  #resendSyn(now: number): void {
    if (this.#synsSent >= MAX_SYNS) return this.#close('timeout')
    this.#handshake.backOff()
    this.#sendSyn(now)
  }

  #completeHandshake(segment: TcpSegment, now: number): boolean {
    if (segment.acknowledgment !== seqAdd(this.#options.initialSequence, 1)) {
      if (this.#sender.judge(segment.acknowledgment) !== 'good') {
        this.#emitReset(segment.acknowledgment)
        return false
      }
    }
    this.#establish(segment, this.#windowOf(segment), now)
    return true
  }

  #establish(segment: TcpSegment, window: number, now: number): void {
    this.#state = this.#sender.finQueued ? 'fin-wait-1' : 'established'
    this.#synDueAt = Infinity
    const handshake = this.#synsSent === 1 ? now - this.#synSentAt : undefined
    this.#sender.begin(this.#segmentSize, window, segment.sequence, handshake)
    this.#advertised = this.#windowEdge()
    this.#keepAlive.noteHeard(now)
    this.#signals.opened()
  }

  // Segments of an open connection.

  /** Only the very next byte may be a reset's (RFC 5961 section 3): a blind forger would have to hit it. */
  #handleReset(segment: TcpSegment, now: number): void {
    if (segment.sequence === this.#receiver.next) return this.#close('reset')
    if (this.#receiver.accepts(segment.sequence, 1)) this.#challenge(now)
  }

  #handleOutside(segment: TcpSegment, now: number): void {
    if (this.#state === 'time-wait' && (segment.flags & TCP_FIN) !== 0) this.#timeWaitEndsAt = now + TIME_WAIT
    // Even then an acknowledgment counts: a shut window of ours must not stop what we send.
    const isAck = (segment.flags & (TCP_ACK | TCP_SYN)) === TCP_ACK
    if (isAck && this.#receiver.window === 0 && seqDiff(segment.sequence, this.#receiver.next) === 0) {
      this.#takeAcknowledgment(segment, now)
    }
    if (!this.gone) this.#challenge(now)
  }

  #takeAcknowledgment(segment: TcpSegment, now: number): boolean {
    const verdict = this.#sender.judge(segment.acknowledgment)
    if (verdict !== 'good') {
      this.#challenge(now)
      return false
    }
    this.#keepAlive.noteHeard(now)
    const { sequence, acknowledgment, payload } = segment
    const pure = payload.length === 0 && (segment.flags & TCP_FIN) === 0
    this.#sender.handleAcknowledgment(
      { sequence, acknowledgment, window: this.#windowOf(segment), pure },
      now,
    )
    if (this.#sender.finAcked) this.#handleFinAcked(now)
    if (this.#wantsRoom && this.#sender.room >= TCP_BUFFER / 2) {
      this.#wantsRoom = false
      this.#signals.writable()
    }
    return !this.gone
  }

  #handleFinAcked(now: number): void {
    if (this.#state === 'fin-wait-1') this.#state = 'fin-wait-2'
    else if (this.#state === 'closing') this.#wait(now)
    else if (this.#state === 'last-ack') this.#close('done')
  }

  #takeData(segment: TcpSegment, fin: boolean, now: number): void {
    if (segment.payload.length === 0 && !fin) return
    const received = this.#receiver.take(segment.sequence, segment.payload, fin)
    for (const bytes of received.delivered) this.#signals.data(bytes)
    this.#unacked += 1
    if (received.acknowledgeNow || this.#unacked >= 2) this.#acknowledge()
    else this.#ackAt = Math.min(this.#ackAt, now + DELAYED_ACK)
    if (received.ended) this.#handleFin(now)
  }

  #handleFin(now: number): void {
    this.#signals.ended()
    if (this.#state === 'established') this.#state = 'close-wait'
    else if (this.#state === 'fin-wait-1') this.#state = 'closing'
    else if (this.#state === 'fin-wait-2') this.#wait(now)
  }

  // What goes out.

  #acknowledge(): void {
    this.#emit(this.#sender.next, TCP_ACK)
  }

  #challenge(now: number): void {
    if (now - this.#challenges.second >= 1_000) this.#challenges = { second: now, sent: 0 }
    if (this.#challenges.sent >= CHALLENGES_PER_SECOND) return
    this.#challenges.sent += 1
    this.#acknowledge()
  }

  #emit(sequence: number, flags: number, payload: Uint8Array = EMPTY): void {
    this.#ackAt = Infinity
    this.#unacked = 0
    this.#advertised = this.#windowEdge()
    const window = Math.min(MAX_WINDOW_FIELD, this.#receiver.window >> (this.#scaling ? WINDOW_SCALE : 0))
    this.#signals.segment({ sequence, acknowledgment: this.#receiver.next, flags, window }, payload)
  }

  #emitReset(sequence: number): void {
    this.#signals.segment({ sequence, acknowledgment: 0, flags: TCP_RST, window: 0 }, EMPTY)
  }

  #windowEdge(): number {
    const most = MAX_WINDOW_FIELD << (this.#scaling ? WINDOW_SCALE : 0)
    return seqAdd(this.#receiver.next, Math.min(this.#receiver.window, most))
  }

  #windowOf(segment: TcpSegment): number {
    return segment.window * 2 ** (this.#scaling ? this.#peerScale : 0)
  }

  // The end.

  #canSend(): boolean {
    return this.opening || this.#state === 'established' || this.#state === 'close-wait'
  }

  /** Done, but remembered for a while: the peer may not have heard our last acknowledgment. */
  #wait(now: number): void {
    this.#state = 'time-wait'
    this.#receiver.close()
    this.#keepAlive.end()
    this.#timeWaitEndsAt = now + TIME_WAIT
    this.#signals.closed('done')
  }

  #close(reason: TcpCloseReason): void {
    const said = this.#state === 'time-wait'
    this.forget()
    if (!said) this.#signals.closed(reason)
  }

  /** Is over at once, without a word to anybody. */
  forget(): void {
    this.#state = 'closed'
    this.#receiver.close()
    this.#sender.timeoutAt = Infinity
    this.#keepAlive.end()
    this.#synDueAt = this.#ackAt = this.#timeWaitEndsAt = Infinity
  }
}
