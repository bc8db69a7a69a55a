// A path that has answered a ping, and which of two such paths is better. The rules and their order are those
// of data-plane.md section 5.5: two nodes that judged differently would still meet, but flap more.
import { isLinkLocal, isLoopback, isPrivate } from '@mesh/wire/ip'
import { type Hop, sameHop } from './hop.ts'

/** A path this fast is not worth improving. */
export const GOOD_ENOUGH_LATENCY = 5

/** A UDP path to a peer, measured. */
export interface Path {
  /** Where the pings were sent that were answered: the peer itself, or a tunnel on a peer relay. */
  readonly endpoint: Hop
  /** Round trip in milliseconds. */
  readonly latency: number
  /** The largest IP packet known to pass. */
  readonly mtu: number
  /** The disco key of the peer relay this path goes through; absent for a direct path. */
  readonly server?: Uint8Array
}

/** Tells whether a path leads to the peer itself. */
export function isDirect(path: Path): boolean {
  return path.endpoint.vni === undefined
}

/** Tells whether `a` is better than `b`; `b` may be missing. */
export function betterAddr(a: Path, b: Path | undefined): boolean {
  if (b === undefined) return true
  if (sameHop(a.endpoint, b.endpoint)) return a.mtu > b.mtu
  if (isDirect(a) !== isDirect(b)) return isDirect(a)
  const aPoints = speedPoints(a, b) + nearness(a)
  const bPoints = speedPoints(b, a) + nearness(b)
  // Under 1 % and nothing else in its favour: stay.
  if (aPoints <= 1 && bPoints === 0) return false
  return aPoints > bPoints
}

/** Returns by how many percent `a` is faster than `b`; 0 when it is not. Whole nanoseconds, whole percents. */
function speedPoints(a: Path, b: Path): number {
  const mine = nanoseconds(a)
  const other = nanoseconds(b)
  if (mine >= other) return 0
  return 100 - Math.floor((mine * 100) / other)
}

function nearness({ endpoint: { address } }: Path): number {
  const family = address.length === 16 ? 10 : 0
  if (isLoopback(address)) return family + 50
  if (isLinkLocal(address)) return family + 30
  return isPrivate(address) ? family + 20 : family
}

function nanoseconds(path: Path): number {
  return Math.round(path.latency * 1e6)
}
