// How long a packet is once filled up, so that its length says less (data-plane.md 1.6, W13).
import { PADDING_MULTIPLE } from './constants.ts'

/** Returns the padded length: the next multiple of 16, but not beyond the MTU. Zero stays zero. */
export function paddedLength(length: number, mtu: number): number {
  if (mtu <= 0) return roundUp(length)
  const last = length > mtu ? length % mtu : length
  return length - last + Math.min(roundUp(last), mtu)
}

function roundUp(length: number): number {
  return (length + PADDING_MULTIPLE - 1) & -PADDING_MULTIPLE
}
