// The server's end of one HTTP/2 connection (RFC 9113), as far as a control server needs it, and lean enough that a message
// to each of thousands of clients costs little more than its cipher. Bytes go in; what the client asks comes out of `poll`,
// what is to be sent out of `sendInto`. It bounds what a client can make it keep or do; time is its owner's.

import { FrameReader } from './frame-reader.ts'
import type { Frame } from './frame-reader.ts'
import { areTrailers, headersFrame, readRequest } from './fields.ts'
import {
  CODE,
  DEFAULT_WINDOW,
  FLAG,
  FRAME,
  frame,
  frameOf,
  MAX_FRAME,
  MAX_WINDOW,
  SETTING,
  settingsFrame,
  u32,
} from './frames.ts'
import type { Field } from './hpack.ts'
import { HpackDecoder } from './hpack.ts'
import { Outbox, SendStream } from './outbox.ts'

/** A long poll, held logins, updates and replies may all be open at once (control §5.7). */
const MAX_STREAMS = 250
/** A client that nobody vouches for has to register, and to wait for a person (control §9.7.4, threat 26). */
const MAX_STREAMS_OF_STRANGER = 16
/** The most of one request's headers: packed, and unpacked. */
const MAX_HEADERS = 16 << 10
/** A client that has us say more than this before it takes any of it means no good. */
const MAX_CONTROL_FRAMES = 1000
/**
 * How many requests a client may give up or have turned away, and how often it may change its settings, beyond the
 * requests that it waited for: each costs more than it seems to.
 */
const MAX_NUISANCES = 1000
/** In how many frames headers may go on: all of them fit one. */
const MAX_CONTINUATIONS = 8
/** A window is opened again when half of it is used: who reads bounds bodies, not the window. */
const REFILL = DEFAULT_WINDOW >> 1

/** What the owner of a connection hears. */
export type Http2Output =
  /** A request began; when `ended`, it has no body. */
  | {
      readonly kind: 'request'
      readonly stream: number
      readonly method: string
      readonly path: string
      readonly ended: boolean
    }
  /** More of a request's body, a view of the bytes that came; when `ended`, the last of it. */
  | { readonly kind: 'body'; readonly stream: number; readonly bytes: Uint8Array; readonly ended: boolean }
  /** What was written to a stream that is watched is sent. */
  | { readonly kind: 'sent'; readonly stream: number }
  /** A stream is over: answered, given up by either side, or its connection is gone. */
  | { readonly kind: 'closed'; readonly stream: number }

/** One stream, both halves. */
interface Stream {
  readonly out: SendStream
  hasResponse: boolean
  /** Whether the request is complete. */
  isComplete: boolean
  /** Bytes of body that came since the client was last given room. */
  used: number
  /** How many bytes of body are still to come, if the client said. */
  left: number | undefined
}

/** A header block that goes on in the next frame. */
interface Block {
  readonly stream: number
  readonly endsStream: boolean
  readonly bytes: Uint8Array
  /** In how many frames it went on. */
  readonly pieces: number
}

const NOTHING = new Uint8Array(0)

/** Serves one connection. */
export class Http2Server {
  readonly #reader = new FrameReader()
  readonly #headers = new HpackDecoder(MAX_HEADERS)
  readonly #streams = new Map<number, Stream>()
  readonly #outbox = new Outbox((stream) => this.#onSent(stream))
  readonly #out: Http2Output[] = []
  #block: Block | undefined
  #maxStreams = MAX_STREAMS_OF_STRANGER
  #lastStream = 0
  #initialWindow = DEFAULT_WINDOW
  #used = 0
  /** Bytes that came for streams that are over, since that last counted as a nuisance. */
  #late = 0
  #nuisances = 0
  #needsSettings = true
  /** Whether the client must be told that no table is used, because it made its own smaller (RFC 7541 §4.2). */
  #owesTableSize = false
  #isBroken = false

  constructor() {
    const settings = [
      [SETTING.maxConcurrentStreams, this.#maxStreams],
      [SETTING.maxHeaderListSize, MAX_HEADERS],
    ] as const
    this.#outbox.say(settingsFrame(settings))
  }

  /** Whether it is over: what {@link Http2Server.sendInto} still has is to be sent, then the connection closed. */
  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Whether {@link Http2Server.sendInto} would write anything. */
  get hasWork(): boolean {
    return this.#outbox.hasWork
  }

  /** About how many bytes {@link Http2Server.sendInto} would write; never too few for the first frame. */
  get backlog(): number {
    return this.#outbox.backlog
  }

  /** Gives the client as many streams as a machine of the network needs; until then it has few. */
  trust(): void {
    if (this.#isBroken || this.#maxStreams === MAX_STREAMS) return
    this.#maxStreams = MAX_STREAMS
    this.#outbox.say(settingsFrame([[SETTING.maxConcurrentStreams, MAX_STREAMS]]))
  }

  /** Takes bytes from the client, cut anywhere. */
  handleBytes(chunk: Uint8Array): void {
    if (this.#isBroken) return
    this.#reader.feed(chunk)
    while (!this.#isBroken) {
      const next = this.#reader.read()
      if (next === 'more') return
      if (next === 'no-preface') return this.#fail(CODE.protocol)
      if (next === 'too-large') return this.#fail(CODE.frameSize)
      this.#take(next)
      if (this.#outbox.controlFrames > MAX_CONTROL_FRAMES) return this.#fail(CODE.calm)
    }
  }

  /** Returns what happened next, or `undefined` when there is no more. */
  poll(): Http2Output | undefined {
    return this.#out.shift()
  }

  /** Writes frames to a place, as many as there are, fit, and the client has room for. Returns where they end. */
  sendInto(into: Uint8Array, start: number, end: number): number {
    return this.#outbox.sendInto(into, start, end)
  }

  /** Begins an answer, which may say after how many seconds to ask again. Does nothing when one has begun or the stream is over. */
  respond(id: number, status: number, contentType: string, retryAfter?: number): void {
    const stream = this.#streams.get(id)
    if (!stream || stream.hasResponse) return
    stream.hasResponse = true
    this.#outbox.say(headersFrame(id, status, contentType, this.#owesTableSize, retryAfter))
    this.#owesTableSize = false
  }

  /** Adds to an answer that has begun. The bytes are not copied: they must not change. */
  write(id: number, bytes: Uint8Array): void {
    const out = this.#streams.get(id)?.out
    if (!out || out.isEnding) return
    out.add(bytes)
    this.#outbox.wake(out)
  }

  /** Ends an answer that has begun. */
  end(id: number): void {
    const out = this.#streams.get(id)?.out
    if (!out) return
    out.isEnding = true
    this.#outbox.wake(out)
  }

  /** Gives a stream up. */
  reset(id: number, code: number): void {
    const stream = this.#streams.get(id)
    if (!stream) return
    this.#outbox.say(frameOf(FRAME.rstStream, id, code))
    this.#forget(stream)
  }

  /** Asks for `sent` when all that is written to a stream is sent. */
  watch(id: number): void {
    const out = this.#streams.get(id)?.out
    if (!out) return
    out.isWatched = true
    if (out.queued === 0) this.#onSent(out)
  }

  /** Tells whether an answer has begun, and whether it is whole. */
  answerOf(id: number): 'none' | 'begun' | 'whole' | 'gone' {
    const stream = this.#streams.get(id)
    if (!stream) return 'gone'
    if (stream.out.isEnding) return 'whole'
    return stream.hasResponse ? 'begun' : 'none'
  }

  /** Returns how many bytes of an answer wait. */
  queued(id: number): number {
    return this.#streams.get(id)?.out.queued ?? 0
  }

  /** Returns how many bytes of an answer are sent. */
  sent(id: number): number {
    return this.#streams.get(id)?.out.sent ?? 0
  }

  /** Says goodbye. */
  goAway(): void {
    this.#fail(CODE.none)
  }

  /** Takes the end of the connection: every stream is over. */
  handleGone(): void {
    this.#isBroken = true
    this.#reader.clear()
    this.#outbox.clear()
    for (const stream of this.#streams.values()) this.#forget(stream)
  }

  #take({ type, flags, stream, body }: Frame): void {
    if (this.#block && (type !== FRAME.continuation || stream !== this.#block.stream))
      return this.#fail(CODE.protocol)
    // The preface is not over before them (RFC 9113 §3.4).
    if (this.#needsSettings && (type !== FRAME.settings || (flags & FLAG.ack) !== 0))
      return this.#fail(CODE.protocol)
    this.#needsSettings = false
    switch (type) {
      case FRAME.data:
        return this.#takeData(stream, flags, body)
      case FRAME.headers:
        return this.#takeHeaders(stream, flags, body)
      case FRAME.continuation:
        return this.#takeContinuation(stream, flags, body)
      case FRAME.rstStream:
        return this.#takeReset(stream, body)
      case FRAME.settings:
        return this.#takeSettings(stream, flags, body)
      case FRAME.ping:
        if (stream !== 0) return this.#fail(CODE.protocol)
        if (body.length !== 8) return this.#fail(CODE.frameSize)
        if ((flags & FLAG.ack) === 0) this.#outbox.say(frame(FRAME.ping, FLAG.ack, 0, body))
        return
      case FRAME.windowUpdate:
        return this.#takeWindow(stream, body)
      case FRAME.priority:
        if (stream === 0) return this.#fail(CODE.protocol)
        if (body.length !== 5) return this.#fail(CODE.frameSize)
        return
      case FRAME.goAway:
        if (stream !== 0) return this.#fail(CODE.protocol)
        if (body.length < 8) return this.#fail(CODE.frameSize)
        return
      case FRAME.pushPromise:
        return this.#fail(CODE.protocol)
    }
    // Priorities and goodbyes change nothing here, and what is not known is ignored (RFC 9113 §5.5).
  }

  #takeHeaders(id: number, flags: number, body: Uint8Array): void {
    if (id % 2 === 0) return this.#fail(CODE.protocol)
    const plain = withoutPadding(flags, body)
    const priority = (flags & FLAG.priority) === 0 ? 0 : 5
    if (!plain || plain.length < priority) return this.#fail(CODE.protocol)
    const endsStream = (flags & FLAG.endStream) !== 0
    this.#block = { stream: id, endsStream, bytes: plain.subarray(priority), pieces: 0 }
    if ((flags & FLAG.endHeaders) !== 0) this.#takeBlock()
  }

  #takeContinuation(id: number, flags: number, body: Uint8Array): void {
    const block = this.#block
    if (!block) return this.#fail(CODE.protocol)
    // Small pieces only keep us busy.
    if (block.pieces === MAX_CONTINUATIONS || block.bytes.length + body.length > MAX_HEADERS)
      return this.#fail(CODE.calm)
    const bytes = new Uint8Array(block.bytes.length + body.length)
    bytes.set(block.bytes)
    bytes.set(body, block.bytes.length)
    this.#block = { ...block, bytes, pieces: block.pieces + 1 }
    if ((flags & FLAG.endHeaders) !== 0) this.#takeBlock()
  }

  #takeBlock(): void {
    const { stream: id, endsStream, bytes } = this.#block as Block
    this.#block = undefined
    const fields = this.#headers.decode(bytes)
    if (!fields) return this.#fail(CODE.compression)
    const stream = this.#streams.get(id)
    if (stream) return this.#takeTrailers(stream, endsStream, fields)
    // Late words of a stream that was given up.
    if (id <= this.#lastStream) return
    this.#lastStream = id
    const head = readRequest(fields)
    if (!head || (endsStream && head.length)) return this.#refuse(id, CODE.protocol)
    if (this.#streams.size >= this.#maxStreams) return this.#refuse(id, CODE.refused)
    const out = new SendStream(id, this.#initialWindow)
    const { method, path, length: left } = head
    this.#streams.set(id, { out, hasResponse: false, isComplete: endsStream, used: 0, left })
    this.#out.push({ kind: 'request', stream: id, method, path, ended: endsStream })
  }

  #takeTrailers(stream: Stream, endsStream: boolean, fields: readonly Field[]): void {
    if (stream.isComplete) return this.#rebuke(stream.out.id, CODE.streamClosed)
    if (!endsStream || !areTrailers(fields) || stream.left) return this.#rebuke(stream.out.id, CODE.protocol)
    stream.isComplete = true
    this.#out.push({ kind: 'body', stream: stream.out.id, bytes: NOTHING, ended: true })
  }

  #takeData(id: number, flags: number, body: Uint8Array): void {
    if (this.#isIdle(id)) return this.#fail(CODE.protocol)
    const bytes = withoutPadding(flags, body)
    if (!bytes) return this.#fail(CODE.protocol)
    this.#used += body.length
    if (this.#used >= REFILL) this.#used = this.#refill(0, this.#used)
    const stream = this.#streams.get(id)
    if (!stream) return this.#countLate(body.length)
    if (stream.isComplete) return this.#rebuke(id, CODE.streamClosed)
    stream.used += body.length
    stream.isComplete = (flags & FLAG.endStream) !== 0
    if (stream.left !== undefined) stream.left -= bytes.length
    // A body that is not as long as its request says is malformed (RFC 9113 §8.1.1).
    const { left = 0 } = stream
    if (left < 0 || (stream.isComplete && left > 0)) return this.#rebuke(id, CODE.protocol)
    if (!stream.isComplete && stream.used >= REFILL) stream.used = this.#refill(id, stream.used)
    if (bytes.length > 0 || stream.isComplete)
      this.#out.push({ kind: 'body', stream: id, bytes, ended: stream.isComplete })
  }

  /** What was on its way when its stream ended is no fault; a client that goes on and on is one. */
  #countLate(bytes: number): void {
    this.#late += bytes
    if (this.#late < REFILL) return
    this.#late = 0
    this.#countNuisance()
  }

  #refill(id: number, used: number): 0 {
    this.#outbox.say(frameOf(FRAME.windowUpdate, id, used))
    return 0
  }

  #takeReset(id: number, body: Uint8Array): void {
    if (this.#isIdle(id)) return this.#fail(CODE.protocol)
    if (body.length !== 4) return this.#fail(CODE.frameSize)
    const stream = this.#streams.get(id)
    if (!stream) return
    this.#forget(stream)
    this.#countNuisance()
  }

  #takeSettings(id: number, flags: number, body: Uint8Array): void {
    if (id !== 0) return this.#fail(CODE.protocol)
    const isAck = (flags & FLAG.ack) !== 0
    if (body.length % 6 !== 0 || (isAck && body.length > 0)) return this.#fail(CODE.frameSize)
    if (isAck) return
    let window = this.#initialWindow
    for (let at = 0; at < body.length; at += 6) {
      const [setting, value] = [u32(body, at) >>> 16, u32(body, at + 2)]
      const fault = faultOf(setting, value)
      if (fault !== CODE.none) return this.#fail(fault)
      if (setting === SETTING.headerTableSize) this.#owesTableSize ||= value < 4096
      if (setting === SETTING.initialWindowSize) window = value
    }
    this.#outbox.say(frame(FRAME.settings, FLAG.ack, 0, NOTHING))
    this.#countNuisance()
    this.#moveWindows(window - this.#initialWindow)
  }

  /** Once for a whole frame, which may change its mind thousands of times. */
  #moveWindows(more: number): void {
    if (more === 0) return
    this.#initialWindow += more
    for (const { out } of this.#streams.values()) {
      out.window += more
      if (out.window > MAX_WINDOW) return this.#fail(CODE.flowControl)
      this.#outbox.wake(out)
    }
  }

  #takeWindow(id: number, body: Uint8Array): void {
    if (body.length !== 4) return this.#fail(CODE.frameSize)
    const more = u32(body, 0) & MAX_WINDOW
    if (id === 0) {
      if (more === 0) this.#fail(CODE.protocol)
      else if (!this.#outbox.grant(more)) this.#fail(CODE.flowControl)
      return
    }
    if (this.#isIdle(id)) return this.#fail(CODE.protocol)
    const stream = this.#streams.get(id)
    if (!stream) return
    if (more === 0) return this.#rebuke(id, CODE.protocol)
    stream.out.window += more
    if (stream.out.window > MAX_WINDOW) this.#rebuke(id, CODE.flowControl)
    else this.#outbox.wake(stream.out)
  }

  /** Tells whether a client never began this stream. */
  #isIdle(id: number): boolean {
    return id === 0 || id % 2 === 0 || id > this.#lastStream
  }

  /** Gives a stream up by its client's fault: to bring that about again and again costs a client nothing. */
  #rebuke(id: number, code: number): void {
    this.reset(id, code)
    this.#countNuisance()
  }

  /** Turns a request away that nobody heard of. */
  #refuse(id: number, code: number): void {
    this.#outbox.say(frameOf(FRAME.rstStream, id, code))
    this.#countNuisance()
  }

  #countNuisance(): void {
    this.#nuisances += 1
    if (this.#nuisances > MAX_NUISANCES) this.#fail(CODE.calm)
  }

  #onSent(out: SendStream): void {
    if (out.isWatched) this.#out.push({ kind: 'sent', stream: out.id })
    out.isWatched = false
    const stream = this.#streams.get(out.id)
    if (!stream || !out.hasEnded) return
    // An answer that is whole before its request tells the client to keep the rest (RFC 9113 §8.1).
    if (!stream.isComplete) this.#outbox.say(frameOf(FRAME.rstStream, out.id, CODE.none))
    this.#nuisances = Math.max(0, this.#nuisances - 1)
    this.#forget(stream)
  }

  #forget(stream: Stream): void {
    this.#streams.delete(stream.out.id)
    this.#outbox.drop(stream.out)
    this.#out.push({ kind: 'closed', stream: stream.out.id })
  }

  #fail(code: number): void {
    if (this.#isBroken) return
    this.handleGone()
    this.#outbox.say(frameOf(FRAME.goAway, 0, this.#lastStream, code))
  }
}

/** Returns why a client may not say this, if so. */
function faultOf(setting: number, value: number): number {
  switch (setting) {
    case SETTING.enablePush:
      return value > 1 ? CODE.protocol : CODE.none
    case SETTING.maxFrameSize:
      return value < MAX_FRAME || value > 0xffffff ? CODE.protocol : CODE.none
    case SETTING.initialWindowSize:
      return value > MAX_WINDOW ? CODE.flowControl : CODE.none
  }
  return CODE.none
}

/** Returns a frame's body without its padding, or `undefined` when there is more padding than frame. */
function withoutPadding(flags: number, body: Uint8Array): Uint8Array | undefined {
  if ((flags & FLAG.padded) === 0) return body
  const padding = body[0] ?? 0
  return padding < body.length ? body.subarray(1, body.length - padding) : undefined
}
