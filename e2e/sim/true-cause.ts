// The true cause of a path, from where the boxes stand and what they do.
import type { PathCauseCode } from '@mesh/magicsock'
import { canBeDirect, chainOf, outermostNat, promisedKind, type Situation } from './truth.ts'

/** What else is the case. */
export interface Circumstances {
  readonly isPeerOff: boolean
  /** Nothing is sent. */
  readonly isSilent: boolean
  /** Boxes that let no UDP through. */
  readonly blocked: Set<number>
}

/**
 * Returns why the first machine's path to the second is what it is. `isolated`: the two are kept apart within one network
 * without translation, which has no word of its own.
 */
export function trueCause(
  now: Situation,
  { isPeerOff, isSilent }: Circumstances,
  isDirect: boolean,
): PathCauseCode | 'isolated' {
  if (isSilent) return 'not-tried'
  const can = canBeDirect(now, 0, 1)
  const [one, two] = now.machines.map(({ behind }) => chainOf(now.boxes, behind)) as [
    readonly number[],
    readonly number[],
  ]
  const isBlocked = (chain: readonly number[]): boolean => chain.some((box) => now.blocked.has(box))
  if (isPeerOff) return isBlocked(one) ? 'our-udp-blocked' : 'peer-silent'
  if (can === true || (can === 'perhaps' && isDirect)) return 'direct'
  if (isBlocked(one)) return 'our-udp-blocked'
  if (isBlocked(two)) return 'their-udp-blocked'
  const families = now.machines.map((machine) => machine.families)
  if (families.includes('ipv4') && families.includes('ipv6')) return 'no-common-family'
  const outer = outermostNat(now, one)
  const isShared = outer !== undefined && outer === outermostNat(now, two)
  if (isShared && !now.boxes[outer]!.hairpin) return 'same-nat'
  if (promisedKind(now, 0).mapping !== 'endpoint-independent') return 'our-nat-varies'
  return promisedKind(now, 1).mapping === 'endpoint-independent' ? 'isolated' : 'their-nat-varies'
}
