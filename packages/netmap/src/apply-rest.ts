// The smaller fields of a map response: relays, users, messages, control's clock (control protocol §3.5, §4.6).
import { type DERPMap, type DisplayMessage, parseTime, type UserProfile } from '@mesh/wire/control'

/** A difference of clocks below this is taken for the way the message took. */
const IGNORED_SKEW = 60_000

/** The key whose `null` clears every message before the rest counts. */
const ALL = '*'

/** Returns the relays after `change`: regions and scores that are absent stay, empty ones go. */
export function applyDerpMap(before: DERPMap | undefined, change: DERPMap | undefined): DERPMap | undefined {
  if (change === undefined || before === undefined) return change ?? before
  const regions = change.Regions ?? before.Regions
  const score = change.HomeParams?.RegionScore ?? before.HomeParams?.RegionScore
  return {
    ...change,
    ...(regions === undefined ? {} : { Regions: regions }),
    ...(score === undefined ? {} : { HomeParams: { ...change.HomeParams, RegionScore: score } }),
  }
}

/** Returns the users with those of `change` added or renewed; the same map when there is nothing to do. */
export function applyUsers(
  before: ReadonlyMap<number, UserProfile> = new Map(),
  change: readonly UserProfile[] | undefined,
): ReadonlyMap<number, UserProfile> {
  if (change === undefined || change.length === 0) return before
  const next = new Map(before)
  for (const profile of change) next.set(profile.ID, profile)
  return next
}

/** Returns the warnings after `change`; an empty list clears them. */
export function applyHealth(
  before: readonly string[] = [],
  change: readonly string[] | undefined,
): readonly string[] {
  return change ?? before
}

/** Returns the messages after `change`; `null` takes one away, or all under `*`. */
export function applyMessages(
  before: ReadonlyMap<string, DisplayMessage> = new Map(),
  change: Readonly<Record<string, DisplayMessage | null>> | undefined,
): ReadonlyMap<string, DisplayMessage> {
  if (change === undefined) return before
  const clears = Object.hasOwn(change, ALL) && change[ALL] === null
  const next = new Map(clears ? [] : before)
  for (const [id, message] of Object.entries(change)) {
    if (message !== null) next.set(id, message)
    else next.delete(id)
  }
  return next
}

/** Returns how far control's clock is ahead; `before` when it does not say. */
export function clockOffset(controlTime: string | undefined, wallNow: number, before: number): number {
  const control = parseTime(controlTime)
  if (control === undefined) return before
  const skew = control - wallNow
  return Math.abs(skew) < IGNORED_SKEW ? 0 : skew
}
