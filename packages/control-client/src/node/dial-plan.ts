// By which addresses to dial a server whose name may not resolve: those that it told of itself while it could be reached
// (control protocol §3.6.12). They replace its name, not its identity: what it proves is the same.
import type { LookupFunction } from 'node:net'
import { isIP } from 'node:net'
import type { ControlDialPlan } from '@mesh/wire/control'

/** How many addresses are tried before the name, and how long each: the name must have its turn, too. */
const MAX_ADDRESSES = 3
/** How long an address of the plan may take, milliseconds. */
export const PLANNED_TIMEOUT = 2500

/** Returns the addresses of a plan, the best first. */
export function plannedAddresses(plan: ControlDialPlan | undefined): readonly string[] {
  const candidates = (plan?.Candidates ?? []).filter(({ IP }) => IP !== undefined && isIP(IP) !== 0)
  const sorted = candidates.toSorted((a, b) => (b.Priority ?? 0) - (a.Priority ?? 0))
  return [...new Set(sorted.map(({ IP }) => IP as string))].slice(0, MAX_ADDRESSES)
}

/** Returns what says that every name has this address. */
export function lookupOf(address: string): LookupFunction {
  const family = isIP(address)
  return (_, { all }, found) => {
    if (all) found(null, [{ address, family }])
    else found(null, address, family)
  }
}

/** Tells whether a proxy of the environment resolves names in this program's place. */
export function hasProxy(environment: Readonly<Record<string, string | undefined>>): boolean {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']
  return names.some((name) => (environment[name] ?? '') !== '')
}
