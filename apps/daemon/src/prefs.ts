// What the user wishes of the daemon, kept between runs. Only the wishes that something acts on are here.
import type { StateStore } from '@mesh/net'

/** The user's wishes, in the field names of the local API. */
export interface Prefs {
  /** Address of the control server. */
  readonly ControlURL: string
  /** True when the node should be up. */
  readonly WantRunning: boolean
  /** True after a logout. */
  readonly LoggedOut: boolean
  /** Name to show instead of the machine's own; empty for that. */
  readonly Hostname: string
  /** UDP port on which this machine relays between its peers, 0 for any; null when it does not. */
  readonly RelayServerPort: number | null
}

/** Wishes of somebody who has none yet. */
export const DEFAULT_PREFS: Prefs = {
  ControlURL: '',
  WantRunning: false,
  LoggedOut: false,
  Hostname: '',
  RelayServerPort: null,
}

/**
 * What tools of the family find beside our wishes: the settings that nothing acts on yet, at the values that they take
 * for "not set", so that they offer a plain `up`.
 */
const NOT_OFFERED = {
  RouteAll: false,
  ExitNodeID: '',
  ExitNodeIP: '',
  ExitNodeAllowLANAccess: false,
  CorpDNS: true,
  RunSSH: false,
  RunWebClient: false,
  ShieldsUp: false,
  AdvertiseTags: null,
  AdvertiseRoutes: null,
  AdvertiseServices: null,
  NoSNAT: false,
  NetfilterMode: 2,
  NoStatefulFiltering: true,
  AutoUpdate: { Check: true, Apply: null },
  PostureChecking: false,
} as const

/** Settings of the host that are left alone whatever is wished: to wish them off is no contradiction. */
const LEFT_ALONE: ReadonlySet<string> = new Set([
  'CorpDNS',
  'NetfilterMode',
  'NoStatefulFiltering',
  'AutoUpdate',
])

/** Returns the wishes as the local API shows them. */
export function describePrefs(prefs: Prefs): object {
  return { ...prefs, ...NOT_OFFERED }
}

/** Returns why some wish cannot be had, one sentence, or `undefined`. `isMasked`: only wishes that are set count. */
export function whyNotOffered(wishes: unknown, isMasked: boolean): string | undefined {
  if (typeof wishes !== 'object' || wishes === null) return undefined
  const given = wishes as Readonly<Record<string, unknown>>
  for (const [name, value] of Object.entries(NOT_OFFERED)) {
    if (LEFT_ALONE.has(name) || (isMasked && given[`${name}Set`] !== true)) continue
    if (!isEmpty(given[name]) && given[name] !== value) return `This daemon does not offer ${name} yet.`
  }
  return undefined
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0)
}

const STATE_NAME = '_daemon-prefs'

/** Reads the wishes kept in `store`; what is missing or of the wrong kind takes its default. */
export function readPrefs(store: StateStore): Prefs {
  const text = store.read(STATE_NAME)
  if (text === undefined) return DEFAULT_PREFS
  try {
    return mergePrefs(DEFAULT_PREFS, JSON.parse(text))
  } catch {
    return DEFAULT_PREFS
  }
}

/** Tells whether the wishes kept in `store` can be read, if there are any. */
export function hasGoodPrefs(store: StateStore): boolean {
  const text = store.read(STATE_NAME)
  if (text === undefined) return true
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}

/** Keeps the wishes in `store`. */
export function writePrefs(store: StateStore, prefs: Prefs): Promise<void> {
  return store.write({ [STATE_NAME]: JSON.stringify(prefs) })
}

/** Returns `prefs` with those fields of `changes` that are known and of the right kind. */
export function mergePrefs(prefs: Prefs, changes: unknown): Prefs {
  if (typeof changes !== 'object' || changes === null) return prefs
  const given = changes as Readonly<Record<string, unknown>>
  return {
    ControlURL: typeof given['ControlURL'] === 'string' ? given['ControlURL'] : prefs.ControlURL,
    WantRunning: typeof given['WantRunning'] === 'boolean' ? given['WantRunning'] : prefs.WantRunning,
    LoggedOut: typeof given['LoggedOut'] === 'boolean' ? given['LoggedOut'] : prefs.LoggedOut,
    Hostname: typeof given['Hostname'] === 'string' ? given['Hostname'] : prefs.Hostname,
    RelayServerPort: isPort(given['RelayServerPort']) ? given['RelayServerPort'] : prefs.RelayServerPort,
  }
}

function isPort(value: unknown): value is number | null {
  return value === null || (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535)
}

/** Returns `prefs` with the fields of a masked change: `X` counts only beside `XSet: true`. */
export function mergeMaskedPrefs(prefs: Prefs, masked: unknown): Prefs {
  if (typeof masked !== 'object' || masked === null) return prefs
  const given = masked as Readonly<Record<string, unknown>>
  const chosen = Object.entries(given).filter(([name]) => given[`${name}Set`] === true)
  return mergePrefs(prefs, Object.fromEntries(chosen))
}
