// The seat for bulk crypto: whoever can seal and open the packets of a table. WebAssembly fills it anywhere; borrowed
// functions of a platform's own crypto library can fill it too, over the same arena.
import type { PacketTable } from './packet-table.ts'

/**
 * Seals and opens batches of packets in place: ChaCha20-Poly1305 with WireGuard's nonce (four zero bytes, then the
 * counter, little-endian) and no associated data. Nothing is allocated for a packet.
 *
 * A filling refuses (`REFUSED`) an entry that reaches outside the arena's packet area, names no live key, or whose text is
 * longer than 65,535 bytes, and then touches none of its bytes.
 */
export interface AeadBackend {
  /** What fills the seat, for a status page: `wasm`, … */
  readonly name: string
  /**
   * Seals the first `count` packets of the table: ciphertext in place, 16 bytes of tag behind it. Results are lengths with
   * the tag.
   *
   * @returns how many were sealed.
   */
  sealBatch(table: PacketTable, count: number): number
  /**
   * Opens the first `count` packets of the table. Results are lengths without the tag. A packet whose tag is wrong is
   * `FORGED` and keeps the bytes it came with: no plaintext is written before its tag has proved right.
   *
   * @returns how many were opened.
   */
  openBatch(table: PacketTable, count: number): number
  /** Overwrites what it keeps of keys outside the arena, if that is anything. */
  forget?(): void
}
