// One piece of memory that never grows, with everything a batch needs in it: packets, their table, keys. A backend gets the
// arena once and afterwards only numbers, so no address of anything else ever reaches it.
import { KeySlots } from './key-slots.ts'
import { ENTRY_WORDS, LOAN_STRIDE, OUT_STRIDE, PAGE_LENGTH, SCRATCH_LENGTH, SLOT_STRIDE } from './layout.ts'
import { PacketTable } from './packet-table.ts'
import { type WasmMemory, webAssembly } from './web-assembly.ts'

/** How large the parts of an arena are. */
export interface AeadArenaOptions {
  /** Bytes for packets; rounded up so that the memory is whole pages of 64 KiB. 1 MiB when left out. */
  readonly packetBytes?: number
  /** Entries of the packet table: the largest batch. 256 when left out. */
  readonly batch?: number
  /** How many keys it can hold: two for each session. 1024 when left out. */
  readonly keys?: number
  /** Bytes for the owner's own use, such as the headers of system calls, which no batch can reach. None when left out. */
  readonly extraBytes?: number
}

/** Bytes to which every part is aligned: a line of the processor's cache. */
const ALIGNMENT = 64
/** What the self-test needs. */
const MIN_PACKET_BYTES = 2048
/** Pages a memory can have: 4 GiB. */
const MAX_PAGES = 65_536

/**
 * The memory of one thread's batches. It throws a `RangeError` when it would exceed 4 GiB, and a `TypeError` where there
 * is no WebAssembly: ask `loadWasmAead`, which throws neither.
 */
export class AeadArena {
  /** The memory, for backends. */
  readonly memory: WasmMemory
  /** All of the memory. Offsets of packets count from its start. */
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where the packet area begins; it ends with the memory. */
  readonly packets: number
  /** The table of the batch at hand. */
  readonly table: PacketTable
  /** The keys. */
  readonly keys: KeySlots
  /** Where the columns of a batch begin: what is kept of each packet and super-packet beside the table. */
  readonly columns: number
  /** Where the loans of a batch begin, at the end of the columns. */
  readonly loans: number
  /** The owner's own area. */
  readonly extra: Uint8Array<ArrayBuffer>

  constructor(options: AeadArenaOptions = {}) {
    const api = webAssembly()
    if (api === undefined) throw new TypeError('this runtime has no WebAssembly')
    const { packetBytes = 1 << 20, batch = 256, keys = 1024, extraBytes = 0 } = options
    checkCount('batch', batch)
    checkCount('keys', keys)
    const table = align(SCRATCH_LENGTH)
    const slots = align(table + batch * ENTRY_WORDS * 4)
    this.columns = align(slots + keys * SLOT_STRIDE)
    this.loans = this.columns + align(batch * OUT_STRIDE)
    // Loans are made four at a time.
    const extra = align(this.loans + (batch + 3) * LOAN_STRIDE)
    this.packets = align(extra + extraBytes)
    const pages = Math.ceil((this.packets + Math.max(packetBytes, MIN_PACKET_BYTES)) / PAGE_LENGTH)
    if (!(pages <= MAX_PAGES)) throw new RangeError(`packetBytes: an arena of ${pages} pages exceeds 4 GiB`)
    this.memory = new api.Memory({ initial: pages, maximum: pages })
    const { buffer } = this.memory
    this.bytes = new Uint8Array(buffer)
    this.table = new PacketTable(buffer, table, batch)
    this.keys = new KeySlots(buffer, slots, keys)
    this.extra = this.bytes.subarray(extra, extra + extraBytes)
  }
}

function align(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT
}

function checkCount(name: string, count: number): void {
  if (!(Number.isInteger(count) && count >= 1))
    throw new RangeError(`${name}: ${count}, must be a whole number from 1 on`)
}
