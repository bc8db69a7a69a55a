// Datagrams on their way out, gathered for one peer at a time: as long as the peer stays the same they share a batch,
// and a change of peer sends the batch off, so that order within a peer is kept.
import type { DataPlaneOutputs } from './data-plane.ts'
import { PacketBuffer } from './packet-batch.ts'
import type { PlanePeer } from './plane-peer.ts'

/** Gathers datagrams and hands them over by peer. */
export class SealedBatches {
  readonly #outputs: Pick<DataPlaneOutputs, 'toUnderlay'>
  readonly #buffer: PacketBuffer = new PacketBuffer()
  #peer: PlanePeer | undefined

  constructor(outputs: Pick<DataPlaneOutputs, 'toUnderlay'>) {
    this.#outputs = outputs
  }

  /** The buffer in which claimed datagrams lie. */
  get bytes(): Uint8Array {
    return this.#buffer.bytes
  }

  /** Makes room for a datagram to this peer and returns where it goes; -1 when it is too long for any batch. */
  claim(peer: PlanePeer, length: number): number {
    if (this.#peer !== peer) this.flush()
    this.#peer = peer
    const offset = this.#buffer.claim(length)
    if (offset >= 0) return offset
    this.flush()
    this.#peer = peer
    return this.#buffer.claim(length)
  }

  /** Takes the room claimed last back. */
  retract(): void {
    this.#buffer.retract()
  }

  /** Hands over what has been gathered. */
  flush(): void {
    const peer = this.#peer
    this.#peer = undefined
    if (peer !== undefined && this.#buffer.count > 0) this.#outputs.toUnderlay(peer.id, this.#buffer)
    this.#buffer.clear()
  }
}
