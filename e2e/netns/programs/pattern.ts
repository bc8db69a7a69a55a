// Bytes that follow from their place, and look like nothing: whoever has some of them knows what they ought to be.

/** A prime, so that no length of packet or buffer divides it. */
const PERIOD = 1_048_573
const LONGEST = 131_072
const table = Buffer.alloc(PERIOD + LONGEST)
let state = 0x2545_f491
for (let i = 0; i < PERIOD; i += 1) {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  table[i] = state
}
table.copy(table, PERIOD, 0, LONGEST)

/** Returns `length` bytes (131,072 at most) from a place on. It is a view: do not write to it. */
export function pattern(place: number, length: number): Buffer {
  const at = place % PERIOD
  return table.subarray(at, at + length)
}
