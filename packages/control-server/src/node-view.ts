// A node as maps show it: whole to itself, cut down to its peers (control §4.2). Times come from the record, so the same
// record always gives the same bytes, which spares clients a rebuild (control §3.6.4).

import type { Capabilities } from '@mesh/policy'
import type { Node, PeerChange, UserProfile } from '@mesh/wire/control'
import { formatTime, ZERO_TIME } from '@mesh/wire/control'
import { dropUndefined, homeRegionOf, publicHostinfo } from './claims.ts'
import type { NodeRecord, UserRecord } from './records.ts'
import type { NodeRoutes } from './routes.ts'

/** The user under whom peers see every tagged node (control §3.1.5). */
const TAGGED_DEVICES: UserProfile = {
  ID: 2147455555,
  LoginName: 'tagged-devices',
  DisplayName: 'Tagged Devices',
}
/**
 * A tagged node sees itself as owned by a user of its own, so that no other tagged node counts as the same owner. The
 * numbers begin above every real user's.
 */
const TAGGED_SELF_BASE = 2 ** 40

/** What a client may do with its node, by capability (control §4.13); values are lists. */
const SELF_CAPABILITIES = {
  'https://tailscale.com/cap/ssh': [],
  'https://tailscale.com/cap/file-sharing': [],
  'default-auto-update': [false],
} as const

/** What a view needs beside the record. */
export interface ViewContext {
  /** The MagicDNS suffix, without dots at its ends. */
  readonly baseDomain: string
  /** What it routes for the others. */
  readonly routes: NodeRoutes
  /** The wall clock's Unix milliseconds. */
  readonly wall: number
}

/** Returns the node as its peers see it. */
export function peerNode(record: NodeRecord, context: ViewContext): Node {
  return {
    ...sharedFields(record, context),
    User: record.user ?? TAGGED_DEVICES.ID,
    Endpoints: record.endpoints,
    Hostinfo: publicHostinfo(record.hostinfo),
    ...(!isOnline(record) && record.lastSeen !== undefined ? { LastSeen: formatTime(record.lastSeen) } : {}),
  }
}

/**
 * Returns the node as it sees itself, with the attributes that the policy gives it. What it reports all the time (endpoints, home relay, services) does not come back
 * to it: a whole self node makes its client work everything out anew (control §3.6.3).
 */
export function selfNode(record: NodeRecord, context: ViewContext, attributes: Capabilities = {}): Node {
  const { HomeDERP: _, ...shared } = sharedFields(record, context)
  const { OS, Hostname, RoutableIPs, RequestTags } = record.hostinfo
  return {
    ...shared,
    User: record.user ?? TAGGED_SELF_BASE + record.id,
    Hostinfo: dropUndefined({ OS, Hostname, RoutableIPs, RequestTags }),
    MachineAuthorized: record.approved,
    CapMap: { ...SELF_CAPABILITIES, ...attributes },
  }
}

/** Returns the profile of a node's owner as a viewer knows it. */
export function ownerProfile(record: NodeRecord, user: UserRecord | undefined): UserProfile {
  if (!user) return TAGGED_DEVICES
  const { id, name, displayName, pictureUrl } = user
  const picture = pictureUrl === undefined ? {} : { ProfilePicURL: pictureUrl }
  return { ID: id, LoginName: name, DisplayName: displayName, ...picture }
}

/** Returns the profile a node knows its own owner by. */
export function selfProfile(
  record: NodeRecord,
  user: UserRecord | undefined,
  baseDomain: string,
): UserProfile {
  if (user) return ownerProfile(record, user)
  const LoginName = `${record.givenName}.${baseDomain}`
  return { ID: TAGGED_SELF_BASE + record.id, LoginName, DisplayName: record.givenName }
}

/** Tells whether a node counts as connected. */
export function isOnline(record: NodeRecord): boolean {
  return record.connectedTo !== undefined
}

/** Tells whether a node's key has expired. */
export function isExpired(record: NodeRecord, wall: number): boolean {
  return record.expiresAt !== undefined && record.expiresAt <= wall
}

/**
 * Returns the patch that makes `before` look like `after`, or `undefined` when the difference needs the whole node
 * (control §3.6.4).
 */
export function patchBetween(before: Node, after: Node): PeerChange | undefined {
  if (WHOLE_FIELDS.some((field) => !sameJson(before[field], after[field]))) return undefined
  if (after.HomeDERP === undefined && before.HomeDERP !== undefined) return undefined
  return {
    NodeID: after.ID,
    ...(after.Key !== before.Key ? { Key: after.Key } : {}),
    ...(after.KeyExpiry !== before.KeyExpiry ? { KeyExpiry: after.KeyExpiry ?? ZERO_TIME } : {}),
    ...discoChange(before, after),
    ...(sameJson(before.Endpoints, after.Endpoints) ? {} : { Endpoints: after.Endpoints ?? [] }),
    ...(after.HomeDERP !== before.HomeDERP && after.HomeDERP ? { DERPRegion: after.HomeDERP } : {}),
    ...(after.Cap !== before.Cap && after.Cap ? { Cap: after.Cap } : {}),
    ...(after.Online !== before.Online && after.Online !== undefined ? { Online: after.Online } : {}),
    ...(after.LastSeen !== before.LastSeen && after.LastSeen ? { LastSeen: after.LastSeen } : {}),
  }
}

/** A disco key travels with the online state, or clients that know a newer one would ignore it (control §3.6.6). */
function discoChange(before: Node, after: Node): Pick<PeerChange, 'DiscoKey' | 'Online'> {
  if (after.DiscoKey === before.DiscoKey || after.DiscoKey === undefined) return {}
  return { DiscoKey: after.DiscoKey, Online: after.Online ?? false }
}

/** Fields a patch cannot carry. */
const WHOLE_FIELDS = [
  'StableID',
  'Name',
  'User',
  'Addresses',
  'AllowedIPs',
  'Hostinfo',
  'Created',
  'Tags',
  'PrimaryRoutes',
  'Expired',
] as const satisfies readonly (keyof Node)[]

function sharedFields(record: NodeRecord, { baseDomain, routes, wall }: ViewContext): Omit<Node, 'User'> {
  const addresses = [`${record.ipv4}/32`, `${record.ipv6}/128`]
  const homeRegion = homeRegionOf(record.hostinfo)
  return {
    ID: record.id,
    StableID: record.stableId,
    Name: `${record.givenName}.${baseDomain}.`,
    Key: record.nodeKey as Node['Key'],
    ...(record.expiresAt !== undefined ? { KeyExpiry: formatTime(record.expiresAt) } : {}),
    ...(record.discoKey !== '' ? { DiscoKey: record.discoKey as Exclude<Node['DiscoKey'], undefined> } : {}),
    Addresses: addresses,
    AllowedIPs: routes.served.length > 0 ? [...addresses, ...routes.served] : addresses,
    ...(routes.primary.length > 0 ? { PrimaryRoutes: routes.primary } : {}),
    ...(homeRegion > 0 ? { HomeDERP: homeRegion } : {}),
    Created: formatTime(record.createdAt),
    Cap: record.capVersion,
    ...(record.tags.length > 0 ? { Tags: record.tags } : {}),
    Online: isOnline(record),
    ...(isExpired(record, wall) ? { Expired: true } : {}),
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
