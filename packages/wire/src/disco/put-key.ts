// Writing a field of 32 bytes, refusing one of another length before it shifts its neighbours.

/** Writes the 32 bytes of `key` at `at`; throws RangeError when it has another length. */
export function putKey(into: Uint8Array, at: number, key: Uint8Array, name: string): void {
  if (key.length !== 32) throw new RangeError(`${name} has ${key.length} bytes, not 32`)
  into.set(key, at)
}
