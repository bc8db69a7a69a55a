// The hash under which secrets of pre-auth keys are remembered.

import { createHash } from 'node:crypto'

/** Returns SHA-256: enough for secrets that are 256 random bits themselves. */
export function hashSecret(secret: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(secret).digest())
}
