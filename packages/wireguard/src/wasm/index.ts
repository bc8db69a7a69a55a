/**
 * Bulk crypto for a data plane: ChaCha20-Poly1305 in WebAssembly with vectors, a batch of packets at a time, in one piece
 * of memory that never grows; and the seat it fills.
 *
 * @packageDocumentation
 */
export type { AeadBackend } from './aead-backend.ts'
export { AeadArena, type AeadArenaOptions } from './arena.ts'
export { KeySlots } from './key-slots.ts'
export { FORGED, PacketTable, REFUSED } from './packet-table.ts'
export { loadWasmAead, WasmAead, type WasmAeadLoad } from './wasm-aead.ts'
export { loadWasmCrypto, type WasmCryptoLoad } from './wasm-crypto.ts'
export type { WasmMemory } from './web-assembly.ts'
