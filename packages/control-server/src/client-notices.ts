// What a client is told beside its map: that there is a newer version of it, and by which addresses the server is reached
// when its name cannot be resolved (control §3.5, §3.6.12). Both are the administrator's word; the server asks nobody.

import type { ClientVersion, ControlDialPlan } from '@mesh/wire/control'
import { parseAddress } from '@mesh/wire/ip'
import { ControlError } from './errors.ts'

/** Which version clients should have. */
export interface ClientRelease {
  /** The newest version, as `1.98.2`. */
  readonly version: string
  /** Whether those before it are dangerous. */
  readonly urgent?: boolean
  /** Where people read of it; https. */
  readonly url?: string
}

/** Later addresses wait so long for the earlier ones, seconds. */
const DIAL_SPACING = 0.5
const DIAL_TIMEOUT = 10

/** Returns what a client of this version is told, or `undefined` when nothing is known of its kind. */
export function clientVersion(
  release: ClientRelease | undefined,
  version: string | undefined,
): ClientVersion | undefined {
  const has = numbers(version)
  const newest = numbers(release?.version)
  // The clients of this project count their versions for themselves.
  if (!release || !has || !newest || version?.endsWith('-mesh')) return undefined
  if (!isBefore(has, newest)) return { RunningLatest: true }
  return {
    LatestVersion: release.version,
    Notify: true,
    NotifyText: `Version ${release.version} is available.`,
    ...(release.url === undefined ? {} : { NotifyURL: release.url }),
    ...(release.urgent ? { UrgentSecurityUpdate: true } : {}),
  }
}

/** Returns the plan by which clients dial these addresses, the first of them first; `undefined` for none. */
export function dialPlan(addresses: readonly string[] = []): ControlDialPlan | undefined {
  if (addresses.length === 0) return undefined
  const candidate = (IP: string, i: number): ControlDialPlan['Candidates'][number] => ({
    IP,
    DialStartDelaySec: i * DIAL_SPACING,
    DialTimeoutSec: DIAL_TIMEOUT,
    Priority: addresses.length - i,
  })
  return { Candidates: addresses.map(candidate) }
}

/** Throws {@link ControlError} `ERR_CONTROL_CONFIG` for what no client would understand. */
export function checkNotices(release: ClientRelease | undefined, addresses: readonly string[] = []): void {
  if (release && !numbers(release.version)) {
    const message = `The client version ${JSON.stringify(release.version)} is not written as 1.98.2.`
    throw new ControlError('ERR_CONTROL_CONFIG', message)
  }
  const wrong = addresses.find((address) => !parseAddress(address))
  if (wrong !== undefined)
    throw new ControlError('ERR_CONTROL_CONFIG', `${JSON.stringify(wrong)} is no address to dial.`)
}

function numbers(version: string | undefined): readonly number[] | undefined {
  return /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:$|[-+])/
    .exec(version ?? '')
    ?.slice(1)
    .map(Number)
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((number, i) => number !== b[i])
  return at >= 0 && (a[at] ?? 0) < (b[at] ?? 0)
}
