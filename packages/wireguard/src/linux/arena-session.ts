// A session whose keys lie in an arena, where backends find them by number.
import type { SessionKeys } from '../data-plane.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { Session } from '../session.ts'
import type { KeySlots } from '../wasm/index.ts'

/** A {@link Session} of an arena. */
export class ArenaSession extends Session {
  /** Slot of the key that seals. */
  readonly sendSlot: number
  /** Slot of the key that opens. */
  readonly receiveSlot: number
  readonly #keys: KeySlots

  private constructor(
    peer: PlanePeer,
    keys: SessionKeys,
    slots: KeySlots,
    sendSlot: number,
    receiveSlot: number,
  ) {
    super(peer, keys)
    super.wipe() // the arena has the only copies
    this.#keys = slots
    this.sendSlot = sendSlot
    this.receiveSlot = receiveSlot
  }

  /** Copies the keys into the arena; `undefined` when it holds no more. */
  static open(peer: PlanePeer, keys: SessionKeys, slots: KeySlots): ArenaSession | undefined {
    const send = slots.put(keys.sendKey)
    const receive = send === undefined ? undefined : slots.put(keys.receiveKey)
    if (send !== undefined && receive !== undefined) return new ArenaSession(peer, keys, slots, send, receive)
    if (send !== undefined) slots.wipe(send)
    return undefined
  }

  override wipe(): void {
    this.#keys.wipe(this.sendSlot)
    this.#keys.wipe(this.receiveSlot)
  }
}
