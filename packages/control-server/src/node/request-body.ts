// Bodies of requests, from machines that may not be in the network: each is bounded, so is what one connection and all
// of them together may have under way, and so is the time one may take (control §9.7.4, threat 26).

import { MAX_REQUEST_LENGTH } from '@mesh/wire/control'

/** The most bytes of unfinished bodies of one connection. */
const MAX_PER_CONNECTION = 4 << 20
/** The most bytes of unfinished bodies of all connections. */
const MAX_TOGETHER = 256 << 20
/** The longest answer of a client that somebody waits for, bytes: its map may be long. No more than a connection has room for. */
export const MAX_CLIENT_ANSWER = MAX_PER_CONNECTION
/** How long a body may take, milliseconds. */
const BODY_TIMEOUT = 30_000

/** Counts bytes under way against a limit, and against that of a wider budget. */
export class BodyBudget {
  readonly #limit: number
  readonly #wider: BodyBudget | undefined
  #used = 0

  private constructor(limit: number, wider?: BodyBudget) {
    this.#limit = limit
    this.#wider = wider
  }

  /** Returns the budget of all connections together. */
  static together(): BodyBudget {
    return new BodyBudget(MAX_TOGETHER)
  }

  /** Returns the budget of one more connection within this one. */
  connection(): BodyBudget {
    return new BodyBudget(MAX_PER_CONNECTION, this)
  }

  /** Takes bytes if there is room for them everywhere. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false
    if (this.#wider && !this.#wider.take(bytes)) return false
    this.#used += bytes
    return true
  }

  /** Gives bytes back. */
  release(bytes: number): void {
    this.#used -= bytes
    this.#wider?.release(bytes)
  }
}

/** A body's first room, which doubles; it is room that counts. */
const MIN_ROOM = 4096
const NOTHING = new Uint8Array(0)

/** Gathers one body. The bytes are copied together: a client may cut them into pieces that are dearer to keep than they. */
export class BodyRoom {
  readonly #budget: BodyBudget
  readonly #most: number
  #bytes: Uint8Array = NOTHING
  #length = 0

  /** @param most - The most bytes it may have. */
  constructor(budget: BodyBudget, most: number) {
    this.#budget = budget
    this.#most = most
  }

  /** What is there of it: a view, good until more is added. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Adds bytes. Returns false when there are too many, or no room for them. */
  add(bytes: Uint8Array): boolean {
    const length = this.#length + bytes.length
    if (length > this.#most || !this.#makeRoom(length)) return false
    this.#bytes.set(bytes, this.#length)
    this.#length = length
    return true
  }

  /** Lets go of it. */
  abandon(): void {
    this.#budget.release(this.#bytes.length)
    this.#bytes = NOTHING
    this.#length = 0
  }

  #makeRoom(length: number): boolean {
    const had = this.#bytes.length
    if (length <= had) return true
    const room = Math.min(this.#most, Math.max(MIN_ROOM, 2 * had, length))
    if (!this.#budget.take(room - had)) return false
    const bytes = new Uint8Array(room)
    bytes.set(this.#bytes)
    this.#bytes = bytes
    return true
  }
}

/** The body of a machine's request, which must be whole in time. */
export class RequestBody {
  readonly #room: BodyRoom
  readonly #timer: ReturnType<typeof setTimeout>

  /**
   * @param onSlow - Called when it takes too long.
   * @param most - The most bytes it may have.
   */
  constructor(budget: BodyBudget, onSlow: () => void, most = MAX_REQUEST_LENGTH) {
    this.#room = new BodyRoom(budget, most)
    this.#timer = setTimeout(onSlow, BODY_TIMEOUT).unref()
  }

  /** Adds bytes. Returns false when there are too many. */
  add(bytes: Uint8Array): boolean {
    return this.#room.add(bytes)
  }

  /** Returns all of it, and lets go of it. */
  finish(): Uint8Array {
    const whole = this.#room.bytes
    this.abandon()
    return whole
  }

  /** Lets go of it. */
  abandon(): void {
    clearTimeout(this.#timer)
    this.#room.abandon()
  }
}
