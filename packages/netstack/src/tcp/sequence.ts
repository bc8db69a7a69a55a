// Sequence numbers are 32 bits that wrap: only the difference of two of them means anything (RFC 9293 section 3.4).

/** Returns `a - b` as a signed distance: negative when `a` comes before `b`. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0
}

/** Returns `a` moved on by `length`. */
export function seqAdd(a: number, length: number): number {
  return (a + length) >>> 0
}
