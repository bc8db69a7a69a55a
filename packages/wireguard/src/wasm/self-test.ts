// Known answers, asked once for every instance before it is trusted: a runtime or a processor that gets vectors wrong must
// not seal a single packet. The answers come from another implementation; the tests compute them again.
import type { AeadExports } from './aead-exports.ts'
import type { AeadArena } from './arena.ts'
import { FORGED } from './packet-table.ts'

/** Lengths around every edge: nothing, a byte, a vector, a block, both forms of the key stream, a full packet. */
export const ANSWERED_LENGTHS: readonly number[] = [
  0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 191, 192, 193, 255, 256, 448, 577, 1280, 1420,
]
/** The texts sealed: byte i of each is i * 7 + 3. */
export const answeredText = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 0xff)
/** The key they are sealed with: byte i is i * 5 + 1. */
export const ANSWERED_KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i * 5 + 1)
/** Upper half of their counter; the lower half is the length. */
export const ANSWERED_COUNTER_HIGH = 0x89abcdef
/** All their tags, xored. */
export const ANSWERED_TAGS = '4e2b267b7454478e0e216006a90b89e9'
/** The Internet checksum of the longest text, less its last byte. */
export const ANSWERED_CHECKSUM = 0xbc1e

const TAG_LENGTH = 16

/**
 * Asks a module everything and returns what it got wrong, or `undefined`. It uses the arena's first packet, entry and key,
 * and leaves zeros.
 */
export function failedAnswer(arena: AeadArena, module: AeadExports): string | undefined {
  const slot = arena.keys.put(ANSWERED_KEY)
  if (slot === undefined) return 'a free key slot'
  const tags = new Uint8Array(TAG_LENGTH)
  const wrong = ANSWERED_LENGTHS.find((length) => !comesBack(arena, module, slot, length, tags))
  const longest = ANSWERED_LENGTHS.at(-1) ?? 0
  const checksum = module.checksum(arena.packets, longest - 1, 0)
  arena.keys.wipe(slot)
  arena.bytes.fill(0, arena.packets, arena.packets + longest + TAG_LENGTH)
  if (wrong !== undefined) return `a text of ${wrong} bytes`
  if (hex(tags) !== ANSWERED_TAGS) return 'the known tags'
  if (checksum !== ANSWERED_CHECKSUM) return 'the known checksum'
  return undefined
}

/** Seals one text, adds its tag to the others, sees a changed tag refused, and opens it. */
function comesBack(
  arena: AeadArena,
  module: AeadExports,
  slot: number,
  length: number,
  tags: Uint8Array,
): boolean {
  const { table, bytes, packets: at } = arena
  const text = answeredText(length)
  bytes.set(text, at)
  table.set(0, at, length, ANSWERED_COUNTER_HIGH, length, slot)
  if (module.sealBatch(table.address, 1) !== 1) return false
  for (let i = 0; i < TAG_LENGTH; i += 1) tags[i] = (tags[i] ?? 0) ^ (bytes[at + length + i] ?? 0)
  table.set(0, at, length + TAG_LENGTH, ANSWERED_COUNTER_HIGH, length, slot)
  flip(bytes, at + length)
  if (module.openBatch(table.address, 1) !== 0 || table.result(0) !== FORGED) return false
  flip(bytes, at + length)
  if (module.openBatch(table.address, 1) !== 1 || table.result(0) !== length) return false
  return text.every((byte, i) => bytes[at + i] === byte)
}

function flip(bytes: Uint8Array, at: number): void {
  bytes[at] = (bytes[at] ?? 0) ^ 0x80
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
