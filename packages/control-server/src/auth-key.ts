// Pre-auth keys as text: `meshkey-auth-<12 hex>-<64 hex>`. The first part finds the key, the second is the secret, of
// which the server keeps a hash (threat 8). Clients treat the whole as opaque (control §1.3).

import { constantTimeEqual } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'

const TEXT_FORM = /^meshkey-auth-([0-9a-f]{12})-([0-9a-f]{64})$/
const PREFIX_BYTES = 6
const SECRET_BYTES = 32

/** Returns 32 bytes that give nothing away of the input: SHA-256 or BLAKE2s-256. */
export type SecretHash = (secret: Uint8Array) => Uint8Array

/** A pre-auth key just made: its text is shown once and then forgotten. */
export interface FreshAuthKey {
  readonly text: string
  readonly prefix: string
  readonly secretHash: Uint8Array
}

/** Makes a pre-auth key. */
export function makeAuthKey(random: RandomSource, hash: SecretHash): FreshAuthKey {
  const prefix = toHex(random(PREFIX_BYTES))
  const secret = toHex(random(SECRET_BYTES))
  return {
    text: `meshkey-auth-${prefix}-${secret}`,
    prefix,
    secretHash: hash(new TextEncoder().encode(secret)),
  }
}

/** Returns the part by which a key is found, or `undefined` when the text is no key. */
export function authKeyPrefix(text: string): string | undefined {
  return TEXT_FORM.exec(text)?.[1]
}

/** Tells whether the text's secret is the one that was hashed, in a time that does not depend on where they differ. */
export function authKeyMatches(text: string, secretHash: Uint8Array, hash: SecretHash): boolean {
  const secret = TEXT_FORM.exec(text)?.[2]
  return secret !== undefined && constantTimeEqual(hash(new TextEncoder().encode(secret)), secretHash)
}

/** Returns random lower-case hex, two digits a byte. */
export function randomHex(random: RandomSource, bytes: number): string {
  return toHex(random(bytes))
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
