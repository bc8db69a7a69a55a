// Some packets of a lent batch, picked without copying their bytes. Kept in a pool, because a call may lead to
// another one of the same kind before it returns.
import type { PacketBatch } from '@mesh/wireguard'

/** The packets of a batch that were picked. Lent like the batch it views. */
export class PacketSelection implements PacketBatch {
  bytes: Uint8Array = new Uint8Array(0)
  offsets: Int32Array = new Int32Array(64)
  lengths: Int32Array = new Int32Array(64)
  count = 0

  /** Begins anew, over this batch. */
  reset(batch: PacketBatch): void {
    this.bytes = batch.bytes
    this.count = 0
    if (this.offsets.length >= batch.count) return
    this.offsets = new Int32Array(batch.count)
    this.lengths = new Int32Array(batch.count)
  }

  /** Picks a packet of the batch. */
  pick(offset: number, length: number): void {
    this.offsets[this.count] = offset
    this.lengths[this.count] = length
    this.count += 1
  }
}

/** Selections to be used again. */
export class SelectionPool {
  readonly #free: PacketSelection[] = []

  /** Returns an empty selection over this batch; give it back when done. */
  take(batch: PacketBatch): PacketSelection {
    const selection = this.#free.pop() ?? new PacketSelection()
    selection.reset(batch)
    return selection
  }

  /** Takes a selection back. */
  giveBack(selection: PacketSelection): void {
    this.#free.push(selection)
  }
}
