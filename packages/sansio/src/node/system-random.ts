// The operating system's random bytes.
import { getRandomValues } from 'node:crypto'
import type { RandomSource } from '../random.ts'

/** The most bytes one call of the Web Crypto function gives. */
const MAX_AT_ONCE = 65_536

/** Returns cryptographically strong random bytes from the operating system; fit for keys and nonces. */
export const systemRandom: RandomSource = (length) => {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; at += MAX_AT_ONCE) getRandomValues(bytes.subarray(at, at + MAX_AT_ONCE))
  return bytes
}
