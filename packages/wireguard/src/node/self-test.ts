// Known answers for a borrowed backend: what WebAssembly makes, which has answered for itself against another
// implementation, must be what the backend makes, to the byte, and forgeries must be seen.
import { type AeadBackend, FORGED, type WasmAead } from '../wasm/index.ts'

/** Around every edge of blocks and vectors, and around the lengths of whole packets. */
const LENGTHS: readonly number[] = [
  16, 17, 31, 63, 64, 65, 127, 128, 255, 256, 257, 320, 511, 512, 1000, 1024, 1279, 1280, 1420, 4096, 9000,
]
const COUNTER_HIGH = 0x89ab_cdef

/** Tries a backend over the arena of `wasm`, and leaves zeros. Whatever it throws is a failure. */
export function passesSelfTest(wasm: WasmAead, backend: AeadBackend): boolean {
  const { arena } = wasm
  const slot = arena.keys.put(Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1))
  if (slot === undefined) return false
  try {
    return LENGTHS.every((length) => agrees(wasm, backend, slot, length))
  } catch {
    return false
  } finally {
    arena.keys.wipe(slot)
    arena.bytes.fill(0, arena.packets, arena.packets + 16_384)
  }
}

function agrees(wasm: WasmAead, backend: AeadBackend, slot: number, length: number): boolean {
  const { table, bytes, packets } = wasm.arena
  const at = packets + 128 + (length % 7) // any alignment
  // A long companion keeps the batch's mean above the crossover, so that short texts are tried as well.
  const companion = packets + 12_000
  const text = Uint8Array.from({ length }, (_, i) => i * 13 + 5)
  const around = (): string =>
    `${bytes.subarray(at - 64, at).join()} ${bytes.subarray(at + length + 16, at + length + 64).join()}`
  const prepare = (sealed: boolean): void => {
    table.set(0, at, sealed ? length + 16 : length, COUNTER_HIGH, length, slot)
    table.set(1, companion, 4096, 0, 1, slot)
  }
  bytes.fill(0xa5, packets, packets + 16_384)
  const before = around()
  bytes.set(text, at)
  prepare(false)
  wasm.sealBatch(table, 1)
  const expected = bytes.slice(at, at + length + 16)
  bytes.set(text, at)
  prepare(false)
  if (backend.sealBatch(table, 2) !== 2 || !same(bytes, at, expected)) return false
  bytes[at + length] = (bytes[at + length] ?? 0) ^ 1
  const forged = bytes.slice(at, at + length + 16)
  prepare(true)
  backend.openBatch(table, 2)
  if (table.result(0) !== FORGED || !same(bytes, at, forged)) return false
  bytes.set(expected, at)
  prepare(true)
  backend.openBatch(table, 2)
  return table.result(0) === length && same(bytes, at, text) && around() === before
}

function same(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  return expected.every((byte, i) => bytes[at + i] === byte)
}
