// The backend in WebAssembly: ChaCha20-Poly1305 with vectors, about a tenth of the time that plain JavaScript takes. The
// module is 13 KB, made from assembly/ and carried as text, so that it runs from a page as well as from a file.
import type { AeadBackend } from './aead-backend.ts'
import { type AeadExports, instantiate } from './aead-exports.ts'
import { AeadArena, type AeadArenaOptions } from './arena.ts'
import type { PacketTable } from './packet-table.ts'
import { ENTRY_WORDS } from './layout.ts'
import { failedAnswer } from './self-test.ts'

/** What {@link loadWasmAead} found. */
export type WasmAeadLoad =
  | { readonly kind: 'loaded'; readonly aead: WasmAead }
  | { readonly kind: 'missing'; readonly reason: string }

/**
 * Brings the backend up over an arena of its own, after it has answered known questions right. It never throws: where
 * WebAssembly or its vectors are missing, or an answer is wrong, it says so in one clause.
 */
export function loadWasmAead(options: AeadArenaOptions = {}): WasmAeadLoad {
  try {
    const arena = new AeadArena(options)
    const module = instantiate(arena)
    const failed = failedAnswer(arena, module)
    if (failed !== undefined) return { kind: 'missing', reason: `its self-test fails at ${failed}` }
    return { kind: 'loaded', aead: new WasmAead(arena, module) }
  } catch (error) {
    return { kind: 'missing', reason: error instanceof Error ? error.message : String(error) }
  }
}

/** {@link AeadBackend} in WebAssembly, and the Internet checksum with the same vectors. */
export class WasmAead implements AeadBackend {
  readonly name = 'wasm'
  /** The memory it works in: packets, their table, keys. */
  readonly arena: AeadArena
  readonly #module: AeadExports

  /** For {@link loadWasmAead}, which has tested the module over this arena. */
  constructor(arena: AeadArena, module: AeadExports) {
    this.arena = arena
    this.#module = module
  }

  sealBatch(table: PacketTable, count: number): number {
    this.#check(table, count)
    return this.#module.sealBatch(table.address, count)
  }

  openBatch(table: PacketTable, count: number): number {
    this.#check(table, count)
    return this.#module.openBatch(table.address, count)
  }

  /**
   * Returns the sum of the 16-bit words of `length` bytes of the arena from `offset` on, folded to 16 bits; an odd last byte
   * is padded with zero.
   */
  sumWords(offset: number, length: number): number {
    this.#checkRange(offset, length)
    return this.#module.sumWords(offset, length)
  }

  /** Returns the Internet checksum (RFC 1071) of a range of the arena on top of `initial`, a sum of less than 2^32. */
  checksum(offset: number, length: number, initial = 0): number {
    this.#checkRange(offset, length)
    return this.#module.checksum(offset, length, initial)
  }

  /**
   * Returns the sum of a pseudo header, folded to 16 bits, to pass to {@link checksum}.
   *
   * @param addresses - Where source and destination lie, one behind the other as in an IP header.
   * @param bytes - 8 for IPv4, 32 for IPv6.
   * @param protocol - The number of the protocol above.
   * @param length - Bytes of the segment, its own header included.
   */
  pseudoHeaderSum(addresses: number, bytes: 8 | 32, protocol: number, length: number): number {
    this.#checkRange(addresses, bytes)
    return this.#module.pseudoHeaderSum(addresses, bytes, protocol, length)
  }

  /**
   * Writes 128 bytes of key stream to `into`, the first 32 of which are a packet's one-time key (RFC 8439 section 2.6): for
   * backends that put the cipher together from parts. `key` and `nonce` say where 32 and 12 bytes lie.
   */
  keyStream(into: number, key: number, nonce: number): void {
    this.#checkRange(into, 128)
    this.#checkRange(key, 32)
    this.#checkRange(nonce, 12)
    this.#module.keyStream(into, key, nonce, 0, 1)
  }

  // For a borrowed cipher (assembly/loan.as).

  /**
   * Readies the first `count` packets of the table for a borrowed cipher; `tagged` is 16 when their lengths count a tag.
   * `false`, and nothing is changed, when one is to be refused, when they do not lie in order with 32 bytes between them, or
   * when their mean length is below `worth`. Afterwards either {@link takeSealed} or {@link takeOpened} and
   * {@link wipeLoan} must be called.
   */
  lend(table: PacketTable, count: number, tagged: 0 | 16, worth: number): boolean {
    this.#check(table, count)
    return this.#module.lend(table.address, count, tagged, worth) === 1
  }

  /** Puts the tags behind the texts that were lent and are sealed, and ends the loan. */
  takeSealed(table: PacketTable, count: number): void {
    this.#check(table, count)
    this.#module.takeSealed(table.address, count)
  }

  /** Compares the tags of what was lent to be opened and writes the results; returns how many are genuine. */
  takeOpened(table: PacketTable, count: number): number {
    this.#check(table, count)
    return this.#module.takeOpened(table.address, count)
  }

  /** Wipes the one-time keys of a loan. */
  wipeLoan(count: number): void {
    this.#module.wipeLoan(Math.min(count, this.arena.table.capacity))
  }

  // Super-packets (assembly/cut.as, assembly/join.as).

  /** Writes piece `index` of the job to `into`, where its whole length must have room, and returns that length. */
  cutPiece(index: number, into: number): number {
    return this.#module.cutPiece(index, into)
  }

  /** Lays pieces of the job as texts of datagrams and enters them in the table from entry `entry` on; returns how many. */
  cutPieces(first: number, count: number, into: number, entry: number): number {
    const { table } = this.arena
    this.#check(table, entry + count)
    return this.#module.cutPieces(first, count, into, table.address + entry * ENTRY_WORDS * 4)
  }

  /** Joins opened packets of the table to their flows, from `first` on; returns the first that could not be, or `count`. */
  joinRun(first: number, count: number, peer: number): number {
    const { table } = this.arena
    this.#check(table, count)
    return this.#module.joinRun(table.address, first, count, peer)
  }

  /** Begins a flow with a packet of `length` bytes at `at`, if others may join it. */
  beginFlow(out: number, at: number, length: number, peer: number): void {
    this.#checkRange(at, length)
    this.#module.beginFlow(out, at, length, peer)
  }

  /** Writes the headers of all super-packets, and forgets the flows. */
  finishFlows(): void {
    this.#module.finishFlows()
  }

  #check(table: PacketTable, count: number): void {
    if (table !== this.arena.table) throw new TypeError('table: not the one of this arena')
    if (!(count >= 0 && count <= table.capacity)) throw new RangeError(`count: ${count} of ${table.capacity}`)
  }

  #checkRange(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.arena.bytes.length) return
    throw new RangeError(`offset: ${length} bytes at ${offset} reach outside the arena`)
  }
}
