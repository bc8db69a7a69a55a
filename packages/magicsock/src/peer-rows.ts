// The part of the peers that packets touch. What each packet reads and writes is eight numbers side by side, a row of one slab
// for all peers: with ten thousand peers in turn a packet then waits for a line or two of the processor's cache, and not for
// the dozen in which a peer keeps what is needed now and then.
import type { Hop } from './hop.ts'
import type { PeerId } from './peer-config.ts'
import type { Traffic } from './traffic.ts'

/** A session is active for this long after the last packet somebody sent. */
export const SESSION_ACTIVE_TIMEOUT = 45_000

/** Columns of a row. What is needed to send comes first, then what receiving adds. */
const TRUST_UNTIL = 0
const HEARTBEAT_AT = 1
const LAST_SEND = 2
const SENT_PACKETS = 3
const SENT_BYTES = 4
const LAST_TRAFFIC = 5
const RECEIVED_PACKETS = 6
const RECEIVED_BYTES = 7
const ROW_LENGTH = 8

const FRESH = Float64Array.of(-Infinity, Infinity, -Infinity, 0, 0, -Infinity, 0, 0)
const FIRST_ROWS = 64
/** The row of those that are no more, and the place of those that have none: what is noted there is nobody's. */
const NOBODY = 0
/** Numbers of peers below this are looked up in an array; they are that small where somebody counts them. */
const NEAR = 65_536

/** The rows of all peers. */
export class PeerRows {
  #cells = new Float64Array(FIRST_ROWS * ROW_LENGTH)
  /** Where the packets of a row go straight to while that is trusted. */
  readonly #hops: (Hop | undefined)[] = []
  readonly #free: number[] = []
  #end = ROW_LENGTH
  /** Where the row of a peer begins, by its number; {@link NOBODY} for one whose packets want more than a row. */
  #near = new Int32Array(FIRST_ROWS)
  readonly #far = new Map<PeerId, number>()

  /**
   * Counts a packet that goes straight, and returns where to. `undefined`, and nothing is counted, when there is more to do:
   * no such peer or path, no trust in it, or the heart does not beat.
   */
  sendStraight(peer: PeerId, bytes: number, now: number): Hop | undefined {
    const cells = this.#cells
    const at = this.#placeOf(peer)
    const isTrusted = now <= cells[at + TRUST_UNTIL]! && cells[at + HEARTBEAT_AT] !== Infinity
    if (!isTrusted || now - cells[at + LAST_SEND]! > SESSION_ACTIVE_TIMEOUT) return undefined
    const hop = this.#hops[at / ROW_LENGTH]
    if (hop === undefined) return undefined
    cells[at + LAST_SEND] = now
    cells[at + LAST_TRAFFIC] = now
    cells[at + SENT_PACKETS]! += 1
    cells[at + SENT_BYTES]! += bytes
    return hop
  }

  /** Counts a packet that came straight from a peer; returns `false`, and nothing is counted, when there is more to do. */
  receiveStraight(peer: PeerId, bytes: number, now: number): boolean {
    const at = this.#placeOf(peer)
    if (at === NOBODY) return false
    this.countReceived(at, bytes, now)
    return true
  }

  /** Counts a packet in a row. */
  countReceived(at: number, bytes: number, now: number): void {
    const cells = this.#cells
    cells[at + LAST_TRAFFIC] = now
    cells[at + RECEIVED_PACKETS]! += 1
    cells[at + RECEIVED_BYTES]! += bytes
  }

  /** Counts a packet in a row that was sent with more to do than that. */
  countSent(at: number, bytes: number): void {
    this.#cells[at + SENT_PACKETS]! += 1
    this.#cells[at + SENT_BYTES]! += bytes
  }

  /** Returns where a fresh row begins. */
  take(): number {
    const at = this.#free.pop() ?? this.#append()
    this.#cells.set(FRESH, at)
    this.#hops[at / ROW_LENGTH] = undefined
    return at
  }

  /** Takes a row back. */
  giveBack(at: number): void {
    this.#hops[at / ROW_LENGTH] = undefined
    this.#free.push(at)
  }

  /** Says which row is a peer's; {@link PeerRow} says so for each that has one. */
  setPlace(peer: PeerId, at: number): void {
    if (peer >= NEAR) return void this.#far.set(peer, at)
    while (peer >= this.#near.length) {
      const more = new Int32Array(2 * this.#near.length)
      more.set(this.#near)
      this.#near = more
    }
    this.#near[peer] = at
  }

  /** Forgets which row was a peer's. */
  forgetPlace(peer: PeerId): void {
    if (peer >= NEAR) this.#far.delete(peer)
    else if (peer < this.#near.length) this.#near[peer] = NOBODY
  }

  /** Sets where the packets of a row go straight to. */
  setHop(at: number, hop: Hop | undefined): void {
    this.#hops[at / ROW_LENGTH] = hop
  }

  /** Returns a cell. */
  get(at: number): number {
    return this.#cells[at]!
  }

  /** Sets a cell. */
  set(at: number, value: number): void {
    this.#cells[at] = value
  }

  #placeOf(peer: PeerId): number {
    return this.#near[peer] ?? this.#far.get(peer) ?? NOBODY
  }

  #append(): number {
    const at = this.#end
    this.#end += ROW_LENGTH
    if (this.#end > this.#cells.length) {
      const more = new Float64Array(2 * this.#cells.length)
      more.set(this.#cells)
      this.#cells = more
    }
    return at
  }
}

/** One peer's row, as the peer sees it. */
export class PeerRow {
  readonly #rows: PeerRows
  readonly #peer: PeerId
  #at: number

  constructor(rows: PeerRows, peer: PeerId) {
    this.#rows = rows
    this.#peer = peer
    this.#at = rows.take()
  }

  /** Lets go of the row: the peer is no more. */
  release(): void {
    this.#rows.forgetPlace(this.#peer)
    this.#rows.giveBack(this.#at)
    this.#at = NOBODY
  }

  /** Counts a packet that was sent straight with more to do than that, such as one that goes by the relay too. */
  countSent(bytes: number): void {
    this.#rows.countSent(this.#at, bytes)
  }

  /** Counts a packet that came straight, with more to do than that. */
  countReceived(bytes: number, now: number): void {
    this.#rows.countReceived(this.#at, bytes, now)
  }

  /** Says whether packets from the peer want no more than to be counted, and where those to it go that want no more. */
  protected setStraight(receives: boolean, sends: Hop | undefined): void {
    if (this.#at === NOBODY) return
    if (receives) this.#rows.setPlace(this.#peer, this.#at)
    else this.#rows.forgetPlace(this.#peer)
    this.#rows.setHop(this.#at, sends)
  }

  /** Until when the path is believed in. */
  get trustUntil(): number {
    return this.#rows.get(this.#at + TRUST_UNTIL)
  }

  set trustUntil(time: number) {
    this.#rows.set(this.#at + TRUST_UNTIL, time)
  }

  /** When something was last sent; `-Infinity` for never. */
  get lastSend(): number {
    return this.#rows.get(this.#at + LAST_SEND)
  }

  /** When something last went to the peer or came from it by UDP, whatever it was. */
  get lastTraffic(): number {
    return this.#rows.get(this.#at + LAST_TRAFFIC)
  }

  /** What went straight to the peer. */
  get sentStraight(): Traffic {
    return {
      packets: this.#rows.get(this.#at + SENT_PACKETS),
      bytes: this.#rows.get(this.#at + SENT_BYTES),
    }
  }

  /** What came straight from the peer. */
  get receivedStraight(): Traffic {
    return {
      packets: this.#rows.get(this.#at + RECEIVED_PACKETS),
      bytes: this.#rows.get(this.#at + RECEIVED_BYTES),
    }
  }

  /** Tells whether something was sent lately. */
  isActive(now: number): boolean {
    return now - this.lastSend <= SESSION_ACTIVE_TIMEOUT
  }

  /** Notes that something went to the peer or came from it by UDP, as it seems. */
  noteTraffic(now: number): void {
    this.#rows.set(this.#at + LAST_TRAFFIC, now)
  }

  /** Notes that something is sent to the peer. */
  protected noteSent(now: number): void {
    this.#rows.set(this.#at + LAST_SEND, now)
    this.#rows.set(this.#at + LAST_TRAFFIC, now)
  }

  /** When the next heartbeat is due; `Infinity` while there is none. */
  protected get heartbeatAt(): number {
    return this.#rows.get(this.#at + HEARTBEAT_AT)
  }

  protected set heartbeatAt(time: number) {
    this.#rows.set(this.#at + HEARTBEAT_AT, time)
  }
}
