// The secret that relays of one mesh share. Whoever says it in a login is trusted with other people's packets, so it is
// compared in constant time, and a key of zeros opens nothing (data-plane §2.9, threat 2).
import { constantTimeEqual, isZeroKey, KEY_LENGTH, parseHexKey } from '@mesh/keys'

/**
 * Tells whether a login's mesh key is the relay's.
 *
 * @param said - The login's key in hex, if it said one.
 * @param meshKey - The relay's own, 32 bytes, if it has one.
 */
export function isMeshKey(said: string | undefined, meshKey: Uint8Array | undefined): boolean {
  const key = said === undefined ? undefined : parseHexKey(said)
  if (key === undefined || meshKey === undefined) return false
  return constantTimeEqual(key, meshKey) && !isZeroKey(meshKey)
}

/** Throws RangeError when a mesh key cannot be one. */
export function checkMeshKey(meshKey: Uint8Array | undefined): void {
  if (meshKey === undefined) return
  if (meshKey.length !== KEY_LENGTH || isZeroKey(meshKey))
    throw new RangeError(`meshKey must be ${KEY_LENGTH} bytes, not all of them zero`)
}
