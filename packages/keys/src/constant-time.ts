// Comparing secrets. An ordinary compare stops at the first difference, and its duration tells a stranger how
// much of a guess was right (threat 2).

/**
 * Tells whether two byte strings are equal, in a time that depends on their lengths only.
 * Different lengths are unequal at once: a length is not a secret here.
 */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
