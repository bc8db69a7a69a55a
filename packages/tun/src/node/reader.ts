// The reading thread of a TUN device: sleeps in poll(2) until the kernel has packets or the device closes, reads
// what there is into a free slot of the ring, and posts the slot's number. It never returns to its event loop.
import { parentPort, workerData } from 'node:worker_threads'
import { EAGAIN, EINTR, EIO, POLLERR, POLLIN } from '@mesh/linux'
import { linuxCalls } from '@mesh/linux/node'
import { PacketRing, SLOTS } from './packet-ring.ts'

/** What the thread is started with. */
export interface ReaderStart {
  /** The memory of a {@link PacketRing}. */
  readonly ring: SharedArrayBuffer
  /** The open device, non-blocking. */
  readonly device: number
  /** The eventfd that ends the thread. */
  readonly wakeUp: number
}

/** What the thread says: a slot is full, or the device failed with a negative error number and reading is over. */
export type ReaderMessage =
  | { readonly kind: 'batch'; readonly slot: number; readonly count: number }
  | { readonly kind: 'failed'; readonly result: number }

function run({ ring: buffer, device, wakeUp }: ReaderStart, post: (message: ReaderMessage) => void): void {
  const calls = linuxCalls()
  const ring = new PacketRing(buffer)
  const pollFds = ring.setPollFds([device, wakeUp], POLLIN)
  let result = 0
  const read = (offset: number, length: number): number => {
    result = calls.read(device, ring.arena, offset, length)
    return result
  }
  for (let slot = 0; ring.waitFree(slot); ) {
    const count = ring.fill(slot, read)
    if (count > 0) {
      post({ kind: 'batch', slot, count })
      slot = (slot + 1) % SLOTS
    }
    if (result > 0 || result === -EINTR) continue
    if (result !== -EAGAIN) return post({ kind: 'failed', result })
    calls.poll(ring.arena, pollFds, 2, -1)
    if ((ring.polledEvents() & POLLERR) !== 0 && !ring.closing) return post({ kind: 'failed', result: -EIO }) // the interface was deleted under us
  }
}

const port = parentPort
if (port !== null) run(workerData as ReaderStart, (message) => port.postMessage(message))
