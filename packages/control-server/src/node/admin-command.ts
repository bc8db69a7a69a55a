// An administrator's commands as data, so that they can come over a socket or from a test, and what they answer: plain
// JSON, times as text, no secrets but a pre-auth key just made.

import type { MadePreAuthKey, NewPreAuthKey, NewUser, NodeStatus } from '../admin.ts'
import type { Coordinator } from '../coordinator.ts'
import { homeRegionOf } from '../claims.ts'
import { ControlError } from '../errors.ts'
import type { PingKind } from '../pings.ts'
import type { PolicyRecord, PreAuthKeyRecord, UserRecord } from '../records.ts'

/** A command. Nodes are named by number, name or address; users by name or number. */
export type AdminCommand =
  | ({ readonly verb: 'users create' } & NewUser)
  | { readonly verb: 'users list' }
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
  | { readonly verb: 'nodes list' }
  | { readonly verb: 'nodes register'; readonly key: string; readonly user: string }
  | { readonly verb: 'nodes expire'; readonly node: string; readonly at?: number | 'never' }
  | { readonly verb: 'nodes rename'; readonly node: string; readonly name: string }
  | { readonly verb: 'nodes tag'; readonly node: string; readonly tags: readonly string[] }
  | { readonly verb: 'nodes approve-routes'; readonly node: string; readonly routes: readonly string[] }
  | { readonly verb: 'nodes delete'; readonly node: string }
  | { readonly verb: 'policy get' }
  | { readonly verb: 'policy set'; readonly policy: string }
  | { readonly verb: 'policy check'; readonly policy: string }
  | { readonly verb: 'backup' }
  | { readonly verb: 'restore'; readonly backup: string }

/** A ping, which takes a while and so is no {@link AdminCommand}: see `ControlListener.ping`. */
export interface PingCommand {
  /** Says that it is a ping. */
  readonly verb: 'nodes ping'
  /** The node's number, name or address. */
  readonly node: string
  /** Which way it is asked. */
  readonly kind: PingKind
}

/** How a ping ended, as JSON. */
export interface PingJson {
  /** Milliseconds until the answer, or `null` when none came in time. */
  readonly roundTrip: number | null
}

/** A backup, as JSON. */
export interface BackupJson {
  /** The text that `restore` takes. */
  readonly backup: string
}

/** A user, as JSON. */
export interface UserJson {
  /** The user's number. */
  readonly id: number
  /** The login name. */
  readonly name: string
  /** What people read. */
  readonly displayName: string
  /** When the user was made, RFC 3339. */
  readonly created: string
}

/** A pre-auth key, as JSON. */
export interface PreAuthKeyJson {
  /** The key's number. */
  readonly id: number
  /** The key's text when it was just made, else its beginning: the secret is not kept. */
  readonly key: string
  /** The owner's name; empty for a key of tags only. */
  readonly user: string
  /** Whether it registers more than one node. */
  readonly reusable: boolean
  /** Whether its nodes vanish when they stay away. */
  readonly ephemeral: boolean
  /** Whether it was used. */
  readonly used: boolean
  /** When it expires, RFC 3339, or `null` for never. */
  readonly expiration: string | null
  /** When it was made, RFC 3339. */
  readonly created: string
  /** The tags its nodes get. */
  readonly tags: readonly string[]
}

/** A node, as JSON. */
export interface NodeJson {
  /** The node's number. */
  readonly id: number
  /** The name it has in the network. */
  readonly name: string
  /** Its full name. */
  readonly dnsName: string
  /** What the machine calls itself. */
  readonly hostname: string
  /** The owner's name; empty for a tagged node. */
  readonly user: string
  /** Its tags. */
  readonly tags: readonly string[]
  /** Its addresses, IPv4 first. */
  readonly addresses: readonly string[]
  /** Its WireGuard key. */
  readonly nodeKey: string
  /** Its machine key. */
  readonly machineKey: string
  /** Its disco key; empty before it told one. */
  readonly discoKey: string
  /** Its candidate endpoints. */
  readonly endpoints: readonly string[]
  /** Its home relay's region; 0 before it has one. */
  readonly homeRelay: number
  /** Whether it counts as connected. */
  readonly online: boolean
  /** Whether its key has expired. */
  readonly expired: boolean
  /** Whether it vanishes when it stays away. */
  readonly ephemeral: boolean
  /** The prefixes it may route for the others. */
  readonly approvedRoutes: readonly string[]
  /** The prefixes it offers to route. */
  readonly availableRoutes: readonly string[]
  /** The prefixes that peers send to it now. */
  readonly subnetRoutes: readonly string[]
  /** When its key expires, RFC 3339, or `null` for never. */
  readonly expiry: string | null
  /** When it was last connected, RFC 3339, or `null` before it ever was. */
  readonly lastSeen: string | null
  /** When it came, RFC 3339. */
  readonly created: string
}

/** A policy, as JSON. */
export interface PolicyJson {
  /** Its number; 0 when none was written, which allows everything. */
  readonly id: number
  /** HuJSON, as it was written; empty when none was. */
  readonly policy: string
  /** When it was put in force, RFC 3339, or `null`. */
  readonly updated: string | null
}

interface Results {
  'users create': UserJson
  'users list': readonly UserJson[]
  'users rename': UserJson
  'users delete': UserJson
  'preauthkeys create': PreAuthKeyJson
  'preauthkeys list': readonly PreAuthKeyJson[]
  'preauthkeys expire': PreAuthKeyJson
  'nodes list': readonly NodeJson[]
  'nodes register': NodeJson
  'nodes expire': NodeJson
  'nodes delete': NodeJson
  'nodes rename': NodeJson
  'nodes tag': NodeJson
  'nodes approve-routes': NodeJson
  'policy get': PolicyJson
  'policy set': PolicyJson
  'policy check': PolicyJson
  backup: BackupJson
  restore: { readonly users: number; readonly nodes: number }
}

/** What a command answers. */
export type AdminResult<C extends AdminCommand = AdminCommand> = Results[C['verb']]

/** Does a command. Throws {@link ControlError} when it is refused. */
export function performAdmin<C extends AdminCommand>(
  coordinator: Coordinator,
  command: C,
  now: number,
): AdminResult<C> {
  return perform(coordinator, command, now) as AdminResult<C>
}

function perform(coordinator: Coordinator, command: AdminCommand, now: number): AdminResult {
  switch (command.verb) {
    case 'users create':
      return userJson(coordinator.createUser(command))
    case 'users list':
      return coordinator.users().map(userJson)
    case 'users rename':
      return userJson(coordinator.renameUser(command.user, command, now))
    case 'users delete':
      return userJson(coordinator.deleteUser(command.user))
    case 'preauthkeys create':
      return madeKeyJson(coordinator, coordinator.createPreAuthKey(command))
    case 'preauthkeys list':
      return coordinator.preAuthKeys().map((key) => keyJson(coordinator, key))
    case 'preauthkeys expire':
      return keyJson(coordinator, coordinator.expirePreAuthKey(command.which))
    case 'nodes list':
      return coordinator.nodes().map(nodeJson)
    case 'nodes register':
      return nodeJson(coordinator.node(coordinator.approve(command.key, command.user, now).id))
    case 'nodes expire':
      return change(coordinator, command.node, (id) => coordinator.expireNode(id, now, command.at))
    case 'nodes rename':
      return change(coordinator, command.node, (id) => coordinator.renameNode(id, command.name, now))
    case 'nodes tag':
      return change(coordinator, command.node, (id) => coordinator.tagNode(id, command.tags, now))
    case 'nodes approve-routes':
      return change(coordinator, command.node, (id) => coordinator.approveRoutes(id, command.routes, now))
    case 'policy get':
      return policyJson(coordinator.policy())
    case 'policy check':
      coordinator.checkPolicy(command.policy)
      return policyJson(coordinator.policy())
    case 'policy set':
      return policyJson(coordinator.setPolicy(command.policy, now))
    case 'backup':
      return { backup: coordinator.backup() }
    case 'restore':
      coordinator.restore(command.backup, now)
      return { users: coordinator.users().length, nodes: coordinator.nodes().length }
    case 'nodes delete': {
      const found = nodeNamed(coordinator, command.node)
      coordinator.deleteNode(found.node.id, now)
      return nodeJson(found)
    }
  }
}

function change(coordinator: Coordinator, which: string, work: (id: number) => void): NodeJson {
  const { node } = nodeNamed(coordinator, which)
  work(node.id)
  return nodeJson(coordinator.node(node.id))
}

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

/** Reads a ping out of parsed JSON, or returns `undefined` when it is none. */
export function readPingCommand(value: unknown): PingCommand | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(value))
  const [verb, node, kind] = ['verb', 'node', 'kind'].map((name) => fields.get(name))
  if (verb !== 'nodes ping' || typeof node !== 'string' || (kind !== 'head' && kind !== 'c2n'))
    return undefined
  return { verb, node, kind }
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const isFlag: Check = (value) => typeof value === 'boolean'
const isPositive: Check = (value) => typeof value === 'number' && value > 0
/** As the check itself, for a field that may be left out. */
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)

const SHAPES = new Map<string, Readonly<Record<string, Check>>>([
  ['users create', { name: isText, displayName: maybe(isText) }],
  ['users rename', { user: isText, name: isText, displayName: maybe(isText) }],
  ['users delete', { user: isText }],
  ['users list', {}],
  [
    'preauthkeys create',
    {
      user: maybe(isText),
      reusable: maybe(isFlag),
      ephemeral: maybe(isFlag),
      lifetime: maybe(isPositive),
      tags: maybe(isTexts),
    },
  ],
  ['preauthkeys list', {}],
  ['preauthkeys expire', { which: isText }],
  ['nodes list', {}],
  ['nodes register', { key: isText, user: isText }],
  ['nodes expire', { node: isText, at: maybe((at) => at === 'never' || isPositive(at)) }],
  ['nodes rename', { node: isText, name: isText }],
  ['nodes tag', { node: isText, tags: isTexts }],
  ['nodes approve-routes', { node: isText, routes: isTexts }],
  ['nodes delete', { node: isText }],
  ['policy get', {}],
  ['policy set', { policy: isText }],
  ['policy check', { policy: isText }],
  ['backup', {}],
  ['restore', { backup: isText }],
])

/** Returns the node of this number, name or address. Throws {@link ControlError} when there is none. */
export function nodeNamed(coordinator: Coordinator, which: string): NodeStatus {
  const found = coordinator.nodes().find(({ node, dnsName }) => {
    return [String(node.id), node.givenName, dnsName, node.ipv4, node.ipv6].includes(which)
  })
  if (!found) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${which}.`)
  return found
}

function userJson(user: UserRecord): UserJson {
  return { id: user.id, name: user.name, displayName: user.displayName, created: toText(user.createdAt) }
}

function keyJson(coordinator: Coordinator, key: PreAuthKeyRecord): PreAuthKeyJson {
  return {
    id: key.id,
    key: `meshkey-auth-${key.prefix}-***`,
    user: coordinator.users().find((user) => user.id === key.user)?.name ?? '',
    reusable: key.reusable,
    ephemeral: key.ephemeral,
    used: key.usedAt !== undefined,
    expiration: toTextOrNull(key.expiresAt),
    created: toText(key.createdAt),
    tags: key.tags,
  }
}

function madeKeyJson(coordinator: Coordinator, { text, key }: MadePreAuthKey): PreAuthKeyJson {
  return { ...keyJson(coordinator, key), key: text }
}

function nodeJson({ node, dnsName, userName, online, expired, servedRoutes }: NodeStatus): NodeJson {
  return {
    id: node.id,
    name: node.givenName,
    dnsName,
    hostname: node.hostinfo.Hostname ?? '',
    user: userName,
    tags: node.tags,
    addresses: [node.ipv4, node.ipv6],
    nodeKey: node.nodeKey,
    machineKey: node.machineKey,
    discoKey: node.discoKey,
    endpoints: node.endpoints,
    homeRelay: homeRegionOf(node.hostinfo),
    online,
    expired,
    ephemeral: node.ephemeral,
    approvedRoutes: node.approvedRoutes,
    availableRoutes: node.hostinfo.RoutableIPs ?? [],
    subnetRoutes: servedRoutes,
    expiry: toTextOrNull(node.expiresAt),
    lastSeen: toTextOrNull(node.lastSeen),
    created: toText(node.createdAt),
  }
}

function policyJson(record: PolicyRecord | undefined): PolicyJson {
  return { id: record?.id ?? 0, policy: record?.text ?? '', updated: toTextOrNull(record?.createdAt) }
}

function toText(time: number): string {
  return new Date(time).toISOString()
}

function toTextOrNull(time: number | undefined): string | null {
  return time === undefined ? null : toText(time)
}
