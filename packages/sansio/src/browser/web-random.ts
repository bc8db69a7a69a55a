// The RandomSource seat filled with the Web Crypto function that every JavaScript runtime has.
import type { RandomSource } from '../random.ts'

/** The most bytes one call gives. */
const MAX_AT_ONCE = 65_536

/** Returns cryptographically strong random bytes from the runtime; fit for keys and nonces. */
export const webRandom: RandomSource = (length) => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += MAX_AT_ONCE)
    crypto.getRandomValues(bytes.subarray(at, at + MAX_AT_ONCE))
  return bytes
}
