// A session whose keys lie in an arena, where backends find them by number. Several cores may seal with the same keys: then
// they take their counters from one word of shared memory, and no counter is taken twice; another word tells them that the
// peer was heard with the session, before what it sent can be answered.
import type { SessionKeys } from '../data-plane.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { Session } from '../session.ts'
import type { KeySlots } from '../wasm/index.ts'

/** A shared counter has 32 bits. Long before they are used up, within seconds at best, the session asks to be renewed. */
const SHARED_REKEY = 0x8000_0000
const SHARED_LIMIT = 0xff00_0000
const COUNTER = 0
const HEARD = 1
/** Bytes of what the cores share that seal with the same keys. */
export const SHARED_SESSION_BYTES = 8

const NO_KEY = new Uint8Array(0)

/** A {@link Session} of an arena. */
export class ArenaSession extends Session {
  /** Slot of the key that seals. */
  readonly sendSlot: number
  /** Slot of the key that opens. */
  readonly receiveSlot: number
  readonly #keys: KeySlots
  readonly #shared: Int32Array | undefined

  private constructor(
    peer: PlanePeer,
    keys: SessionKeys,
    slots: KeySlots,
    sendSlot: number,
    receiveSlot: number,
    shared: Int32Array | undefined,
  ) {
    super(peer, { ...keys, sendKey: NO_KEY, receiveKey: NO_KEY }) // the arena has the only copies
    this.#keys = slots
    this.sendSlot = sendSlot
    this.receiveSlot = receiveSlot
    this.#shared = shared
  }

  /** Copies the keys into the arena; `undefined` when it holds no more. `shared` are the words that others have, too. */
  static open(
    peer: PlanePeer,
    keys: SessionKeys,
    slots: KeySlots,
    shared?: Int32Array,
  ): ArenaSession | undefined {
    const send = slots.put(keys.sendKey)
    const receive = send === undefined ? undefined : slots.put(keys.receiveKey)
    if (send !== undefined && receive !== undefined)
      return new ArenaSession(peer, keys, slots, send, receive, shared)
    if (send !== undefined) slots.wipe(send)
    return undefined
  }

  /** Whether its peer was heard with it, on whichever core. */
  get heard(): boolean {
    return this.#shared !== undefined && Atomics.load(this.#shared, HEARD) === 1
  }

  /** Tells the other cores that the peer was heard with it. */
  noteHeard(): void {
    if (this.#shared !== undefined) Atomics.store(this.#shared, HEARD, 1)
  }

  override claim(count: number): void {
    if (this.#shared !== undefined) this.counterLow = Atomics.add(this.#shared, COUNTER, count) >>> 0
  }

  override advance(count = 1): void {
    if (this.#shared === undefined) super.advance(count)
  }

  override canSend(now: number): boolean {
    if (this.#shared !== undefined && Atomics.load(this.#shared, COUNTER) >>> 0 >= SHARED_LIMIT) return false
    return super.canSend(now)
  }

  override wantsRekeyOnSend(now: number): boolean {
    return super.wantsRekeyOnSend(now) || (this.#shared !== undefined && this.counterLow >= SHARED_REKEY)
  }

  override wipe(): void {
    this.#keys.wipe(this.sendSlot)
    this.#keys.wipe(this.receiveSlot)
  }
}
