// Keys that people hold, as text: `meshkey-auth-<12 hex>-<64 hex>` lets a machine in, `meshkey-api-…` administers. The
// first part finds the key, the second is the secret, of which the server keeps a hash (threat 8). Clients treat the
// whole of a pre-auth key as opaque (control §1.3).

import { constantTimeEqual } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'

/** What a key is for. */
export type KeyUse = 'auth' | 'api'

const TEXT_FORM = /^meshkey-(auth|api)-([0-9a-f]{12})-([0-9a-f]{64})$/
const PREFIX_BYTES = 6
const SECRET_BYTES = 32

/** Returns 32 bytes that give nothing away of the input: SHA-256 or BLAKE2s-256. */
export type SecretHash = (secret: Uint8Array) => Uint8Array

/** A key just made: its text is shown once and then forgotten. */
export interface FreshKey {
  readonly text: string
  readonly prefix: string
  readonly secretHash: Uint8Array
}

/** Makes a key. */
export function makeKey(use: KeyUse, random: RandomSource, hash: SecretHash): FreshKey {
  const prefix = toHex(random(PREFIX_BYTES))
  const secret = toHex(random(SECRET_BYTES))
  return {
    text: `${keyBeginning(use, prefix)}-${secret}`,
    prefix,
    secretHash: hash(new TextEncoder().encode(secret)),
  }
}

/** Returns what a key begins with: all that is shown of it later. */
export function keyBeginning(use: KeyUse, prefix: string): string {
  return `meshkey-${use}-${prefix}`
}

/** Returns the part by which a key is found, or `undefined` when the text is no key for this use. */
export function keyPrefix(use: KeyUse, text: string): string | undefined {
  const [, written, prefix] = TEXT_FORM.exec(text) ?? []
  return written === use ? prefix : undefined
}

/** Tells whether the text's secret is the one that was hashed, in a time that does not depend on where they differ. */
export function keyMatches(text: string, secretHash: Uint8Array, hash: SecretHash): boolean {
  const secret = TEXT_FORM.exec(text)?.[3]
  return secret !== undefined && constantTimeEqual(hash(new TextEncoder().encode(secret)), secretHash)
}

/** Tells whether a person means this key: by its number, its prefix, what is shown of it, or its whole text. */
export function namesKey(
  which: string,
  use: KeyUse,
  key: { readonly id: number; readonly prefix: string },
): boolean {
  const beginning = keyBeginning(use, key.prefix)
  return [String(key.id), key.prefix, beginning].includes(which) || which.startsWith(`${beginning}-`)
}

/** Returns random lower-case hex, two digits a byte. */
export function randomHex(random: RandomSource, bytes: number): string {
  return toHex(random(bytes))
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
