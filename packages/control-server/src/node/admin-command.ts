// An administrator's commands as data, so that they can come over a socket, over HTTPS or from a test.

import type { NewPreAuthKey, NewUser, NodeChoice, UserFilter } from '../admin.ts'

/** A command. Nodes are named by number, name or address; users by name or number. */
export type AdminCommand =
  | ({ readonly verb: 'users create' } & NewUser)
  | ({ readonly verb: 'users list' } & UserFilter)
  | {
      readonly verb: 'users rename'
      readonly user: string
      readonly name: string
      readonly displayName?: string
    }
  | { readonly verb: 'users delete'; readonly user: string }
  | ({ readonly verb: 'preauthkeys create' } & NewPreAuthKey)
  | { readonly verb: 'preauthkeys list' }
  | { readonly verb: 'preauthkeys expire'; readonly which: string }
  | { readonly verb: 'preauthkeys delete'; readonly which: string }
  | { readonly verb: 'apikeys create'; readonly lifetime?: number }
  | { readonly verb: 'apikeys list' }
  | { readonly verb: 'apikeys expire'; readonly which: string }
  | { readonly verb: 'apikeys delete'; readonly which: string }
  | { readonly verb: 'health' }
  | { readonly verb: 'nodes list'; readonly user?: string }
  | { readonly verb: 'nodes get'; readonly node: string }
  | { readonly verb: 'nodes backfillips' }
  | ({ readonly verb: 'nodes register'; readonly key: string; readonly user: string } & NodeChoice)
  | { readonly verb: 'nodes approve'; readonly node: string }
  | { readonly verb: 'auth approve'; readonly key: string }
  | { readonly verb: 'auth reject'; readonly key: string }
  | { readonly verb: 'logins list' }
  | { readonly verb: 'logins refuse'; readonly key: string }
  | { readonly verb: 'nodes expire'; readonly node: string; readonly at?: number | 'never' }
  | { readonly verb: 'nodes rename'; readonly node: string; readonly name: string }
  | { readonly verb: 'nodes set-address'; readonly node: string; readonly address: string }
  | { readonly verb: 'nodes tag'; readonly node: string; readonly tags: readonly string[] }
  | { readonly verb: 'nodes approve-routes'; readonly node: string; readonly routes: readonly string[] }
  | { readonly verb: 'nodes delete'; readonly node: string }
  | { readonly verb: 'addresses list' }
  | { readonly verb: 'addresses reserve'; readonly holder: string; readonly address?: string }
  | { readonly verb: 'addresses release'; readonly which: string }
  | { readonly verb: 'ssh approve'; readonly key: string }
  | { readonly verb: 'ssh reject'; readonly key: string }
  | { readonly verb: 'policy get' }
  | { readonly verb: 'policy set'; readonly policy: string }
  | { readonly verb: 'policy check'; readonly policy: string }
  | { readonly verb: 'backup' }
  | { readonly verb: 'restore'; readonly backup: string }

/** Reads a command out of parsed JSON, or returns `undefined` when it is none. */
export function readAdminCommand(value: unknown): AdminCommand | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields = new Map(Object.entries(value))
  const shape = SHAPES.get(String(fields.get('verb')))
  if (!shape) return undefined
  for (const [name, field] of fields) if (name !== 'verb' && !shape[name]?.(field)) return undefined
  for (const name of Object.keys(shape)) if (!shape[name]?.(fields.get(name))) return undefined
  return value as AdminCommand
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const isFlag: Check = (value) => typeof value === 'boolean'
const isPositive: Check = (value) => typeof value === 'number' && value > 0
/** A length of time: milliseconds, at most a thousand years, so that any moment it leads to is one. */
const isDuration: Check = (value) =>
  typeof value === 'number' && value > 0 && value <= 1000 * 365 * 86_400_000
/** A moment of which there is a date. */
const isMoment: Check = (value) => isPositive(value) && Number(value) <= 8_640_000_000_000_000
/** As the check itself, for a field that may be left out. */
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

const SHAPES = new Map<string, Readonly<Record<string, Check>>>([
  [
    'users create',
    { name: isText, displayName: maybe(isText), email: maybe(isText), pictureUrl: maybe(isText) },
  ],
  ['users rename', { user: isText, name: isText, displayName: maybe(isText) }],
  ['users delete', { user: isText }],
  ['users list', { id: maybe(isText), name: maybe(isText), email: maybe(isText) }],
  [
    'preauthkeys create',
    {
      user: maybe(isText),
      reusable: maybe(isFlag),
      ephemeral: maybe(isFlag),
      preApproved: maybe(isFlag),
      lifetime: maybe(isDuration),
      tags: maybe(isTexts),
    },
  ],
  ['preauthkeys list', {}],
  ['preauthkeys expire', { which: isText }],
  ['preauthkeys delete', { which: isText }],
  ['apikeys create', { lifetime: maybe(isDuration) }],
  ['apikeys list', {}],
  ['apikeys expire', { which: isText }],
  ['apikeys delete', { which: isText }],
  ['health', {}],
  ['nodes list', { user: maybe(isText) }],
  ['nodes get', { node: isText }],
  ['nodes backfillips', {}],
  ['nodes register', { key: isText, user: isText, name: maybe(isText), address: maybe(isText) }],
  ['nodes approve', { node: isText }],
  ['auth approve', { key: isText }],
  ['auth reject', { key: isText }],
  ['logins list', {}],
  ['logins refuse', { key: isText }],
  ['nodes expire', { node: isText, at: maybe((at) => at === 'never' || isMoment(at)) }],
  ['nodes rename', { node: isText, name: isText }],
  ['nodes set-address', { node: isText, address: isText }],
  ['nodes tag', { node: isText, tags: isTexts }],
  ['nodes approve-routes', { node: isText, routes: isTexts }],
  ['nodes delete', { node: isText }],
  ['addresses list', {}],
  ['addresses reserve', { holder: isText, address: maybe(isText) }],
  ['addresses release', { which: isText }],
  ['ssh approve', { key: isText }],
  ['ssh reject', { key: isText }],
  ['policy get', {}],
  ['policy set', { policy: isText }],
  ['policy check', { policy: isText }],
  ['backup', {}],
  ['restore', { backup: isText }],
])
