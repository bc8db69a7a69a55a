// How long the packet inside a datagram is, by its own header: padding stands behind it (data-plane.md section 1.6).

/** Returns the length that the packet at `at` says of itself; -1 when it is none, or claims more than the `length` there is. */
export function innerLength(view: DataView, at: number, length: number): number {
  const first = length > 0 ? view.getUint8(at) : 0
  let whole = -1
  if (first >> 4 === 4 && length >= 20) {
    const header = (first & 15) * 4
    const total = view.getUint16(at + 2)
    if (header >= 20 && total >= header) whole = total
  } else if (first >> 4 === 6 && length >= 40) whole = view.getUint16(at + 4) + 40
  return whole <= length ? whole : -1
}
