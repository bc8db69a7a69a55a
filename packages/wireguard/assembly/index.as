// What the module offers to the TypeScript side (src/wasm): batches, single texts, checksums, and for its tests the two
// halves of the cipher.
import { setState } from './aead'
import { forget } from './batch'
import { ABSORBED_AT_ONCE, stream2, stream4 } from './chacha20'
import { STATE_BLOCK } from './layout'
import { absorb, absorbMessage, begin, finish } from './poly1305'

export { configure, forget, openBatch, openOne, sealBatch, sealOne } from './batch'
export { checksum, pseudoHeaderSum, sumWords } from './checksum'
export { cutPiece, cutPieces } from './cut'
export { beginFlow, finishFlows, joinRun } from './join'
export { lend, takeOpened, takeSealed, wipeLoan } from './loan'

/** Writes 256 bytes of key stream from block `block` on, or 128 from the short form. For tests. */
export function keyStream(into: usize, key: usize, nonce: usize, block: u32, short: bool): void {
  setState(key, load<u32>(nonce), load<u32>(nonce, 4), load<u32>(nonce, 8))
  store<u32>(STATE_BLOCK, block)
  if (short) stream2(into, 0, 0)
  else stream4(into, 0, 0)
  forget()
}

/** Writes the Poly1305 tag of a message under a one-time key of 32 bytes. For tests. */
export function authenticate(into: usize, message: usize, length: u32, key: usize): void {
  begin(key)
  absorbMessage(message, length)
  v128.store(into, finish())
  forget()
}

/** As {@link authenticate} for whole blocks, with all that one stride of key stream allows absorbed beside it. For tests. */
export function authenticateBeside(into: usize, message: usize, blocks: u32, key: usize, short: bool): void {
  setState(key, 0, 0, 0)
  begin(key)
  const pairs = min(blocks, ABSORBED_AT_ONCE) & ~1
  if (short) stream2(into + 16, message, message + 16 * pairs)
  else stream4(into + 16, message, message + 16 * pairs)
  absorb(message + 16 * pairs, message + 16 * blocks)
  v128.store(into, finish())
  forget()
}
