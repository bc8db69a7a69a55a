// What administrators' commands answer: plain JSON, times as text, no secrets but a key just made. Names and kinds of what
// Headscale's API has too are Headscale's, numbers of records as text among them, so that programs written for it read
// ours; the rest is ours.

import type { MadeApiKey, MadePreAuthKey, NodeStatus } from '../admin.ts'
import { homeRegionOf } from '../claims.ts'
import type { Coordinator } from '../coordinator.ts'
import type { DeviceAttributes } from '../device-attributes.ts'
import { keyBeginning } from '../key-text.ts'
import type {
  ApiKeyRecord,
  LoginRecord,
  PolicyRecord,
  PreAuthKeyRecord,
  ReservationRecord,
  SshCheckRecord,
  UserRecord,
} from '../records.ts'
import type { AdminCommand } from './admin-command.ts'

/** A backup, as JSON. */
export interface BackupJson {
  /** The text that `restore` takes. */
  readonly backup: string
}

/** A user, as JSON. */
export interface UserJson {
  /** The user's number. */
  readonly id: string
  /** The login name. */
  readonly name: string
  /** When the user was made, RFC 3339. */
  readonly createdAt: string
  /** What people read. */
  readonly displayName: string
  /** The mail address; empty when none is known. */
  readonly email: string
  /** Who the identity provider says it is; empty, for none is asked. */
  readonly providerId: string
  /** The identity provider; empty likewise. */
  readonly provider: string
  /** Where the picture is; empty for none. */
  readonly profilePicUrl: string
}

/** A pre-auth key, as JSON. */
export interface PreAuthKeyJson {
  /** The key's number. */
  readonly id: string
  /** The key's text when it was just made, else its beginning: the secret is not kept. */
  readonly key: string
  /** The owner, or `null` for a key of tags only. */
  readonly user: UserJson | null
  /** Whether it registers more than one node. */
  readonly reusable: boolean
  /** Whether its nodes vanish when they stay away. */
  readonly ephemeral: boolean
  /** Whether its nodes need nobody's approval. */
  readonly preApproved: boolean
  /** Whether it was used. */
  readonly used: boolean
  /** When it expires, RFC 3339, or `null` for never. */
  readonly expiration: string | null
  /** When it was made, RFC 3339. */
  readonly createdAt: string
  /** The tags its nodes get. */
  readonly aclTags: readonly string[]
}

/** A node, as JSON. */
export interface NodeJson {
  /** The node's number. */
  readonly id: string
  /** What the machine calls itself. */
  readonly name: string
  /** The name it has in the network. */
  readonly givenName: string
  /** Its full name. */
  readonly dnsName: string
  /** The owner; for a tagged node the one that stands for all of those. */
  readonly user: UserJson
  /** Its tags. */
  readonly tags: readonly string[]
  /** Its addresses, IPv4 first. */
  readonly ipAddresses: readonly string[]
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
  /** Whether it takes part; else it waits for approval. */
  readonly approved: boolean
  /** Whether it vanishes when it stays away. */
  readonly ephemeral: boolean
  /** How it came in. */
  readonly registerMethod: 'REGISTER_METHOD_AUTH_KEY' | 'REGISTER_METHOD_CLI'
  /** The key it came in with, or `null`. */
  readonly preAuthKey: PreAuthKeyJson | null
  /** The prefixes it may route for the others. */
  readonly approvedRoutes: readonly string[]
  /** The prefixes it offers to route. */
  readonly availableRoutes: readonly string[]
  /** The prefixes that peers send to it now. */
  readonly subnetRoutes: readonly string[]
  /** What it says of its device. */
  readonly attributes: DeviceAttributes
  /** When its key expires, RFC 3339, or `null` for never. */
  readonly expiry: string | null
  /** When it was last connected, RFC 3339, or `null` before it ever was. */
  readonly lastSeen: string | null
  /** When it came, RFC 3339. */
  readonly createdAt: string
}

/** A policy, as JSON. */
export interface PolicyJson {
  /** Its number; 0 when none was written, which allows everything. */
  readonly id: number
  /** HuJSON, as it was written; empty when none was. */
  readonly policy: string
  /** When it was put in force, RFC 3339, or `null`. */
  readonly updatedAt: string | null
}

/** An API key, as JSON. */
export interface ApiKeyJson {
  /** The key's number. */
  readonly id: string
  /** The key's beginning, by which it is found and ended: the secret is not kept. */
  readonly prefix: string
  /** When it expires, RFC 3339, or `null` for never. */
  readonly expiration: string | null
  /** When it was made, RFC 3339. */
  readonly createdAt: string
  /** Always `null`: nobody notes when a key is used but in the audit log. */
  readonly lastSeen: null
}

/** An API key just made, as JSON. */
export interface MadeApiKeyJson extends ApiKeyJson {
  /** The key's text: a secret, shown this once. */
  readonly key: string
}

/** A reserved address, as JSON. */
export interface ReservationJson {
  /** The reservation's number. */
  readonly id: string
  /** The addresses, IPv4 first. */
  readonly addresses: readonly string[]
  /** Whose they are: a node's name, or a key of its. */
  readonly holder: string
  /** When it was made, RFC 3339. */
  readonly createdAt: string
}

/** A login that waits, as JSON. */
export interface LoginJson {
  /** The last part of its page's address, by which it is approved or refused. */
  readonly key: string
  /** What the machine calls itself. */
  readonly hostname: string
  /** Its operating system. */
  readonly os: string
  /** The tags it asks for. */
  readonly tags: readonly string[]
  /** Its machine key. */
  readonly machineKey: string
  /** Its WireGuard key. */
  readonly nodeKey: string
  /** When it last asked, RFC 3339. */
  readonly asked: string
}

/** An SSH login that a person decided, as JSON. */
export interface SshCheckJson {
  /** The name of the node that logs in. */
  readonly from: string
  /** The name of the node at which it does. */
  readonly to: string
  /** Who it becomes there. */
  readonly localUser: string
  /** When it was confirmed, RFC 3339, or `null` when it was refused. */
  readonly accepted: string | null
}

/** How the server is, as JSON. */
export interface HealthJson {
  /** Whether its database answers. */
  readonly databaseConnectivity: boolean
}

/** What giving nodes the addresses they lack came to, as JSON. */
export interface BackfillJson {
  /** What was changed: nothing, for a node has both of its addresses from the beginning. */
  readonly changes: readonly string[]
}

/** What each command answers. */
export interface Results {
  'users create': UserJson
  'users list': readonly UserJson[]
  'users rename': UserJson
  'users delete': UserJson
  'preauthkeys create': PreAuthKeyJson
  'preauthkeys list': readonly PreAuthKeyJson[]
  'preauthkeys expire': PreAuthKeyJson
  'preauthkeys delete': PreAuthKeyJson
  'apikeys create': MadeApiKeyJson
  'apikeys list': readonly ApiKeyJson[]
  'apikeys expire': ApiKeyJson
  'apikeys delete': ApiKeyJson
  health: HealthJson
  'nodes list': readonly NodeJson[]
  'nodes get': NodeJson
  'nodes backfillips': BackfillJson
  'nodes register': NodeJson
  'nodes expire': NodeJson
  'nodes delete': NodeJson
  'nodes rename': NodeJson
  'nodes approve': NodeJson
  'auth approve': NodeJson | SshCheckJson
  'auth reject': LoginJson | SshCheckJson
  'logins list': readonly LoginJson[]
  'logins refuse': LoginJson
  'nodes tag': NodeJson
  'nodes set-address': NodeJson
  'nodes approve-routes': NodeJson
  'addresses list': readonly ReservationJson[]
  'addresses reserve': ReservationJson
  'addresses release': ReservationJson
  'ssh approve': SshCheckJson
  'ssh reject': SshCheckJson
  'policy get': PolicyJson
  'policy set': PolicyJson
  'policy check': PolicyJson
  backup: BackupJson
  restore: { readonly users: number; readonly nodes: number }
}

/** What a command answers. */
export type AdminResult<C extends AdminCommand = AdminCommand> = Results[C['verb']]

/** Who stands for the owner of every tagged node: a number that no user gets, and the name that Headscale uses. */
const TAGGED_DEVICES: UserJson = {
  id: '2147455555',
  name: 'tagged-devices',
  createdAt: new Date(0).toISOString(),
  displayName: 'Tagged Devices',
  email: '',
  providerId: '',
  provider: '',
  profilePicUrl: '',
}

/** Returns a user as JSON. */
export function userJson({ id, name, displayName, email, pictureUrl, createdAt }: UserRecord): UserJson {
  return {
    id: String(id),
    name,
    createdAt: toText(createdAt),
    displayName,
    email: email ?? '',
    providerId: '',
    provider: '',
    profilePicUrl: pictureUrl ?? '',
  }
}

/** Returns a pre-auth key as JSON. */
export function preAuthKeyJson({ accounts }: Coordinator, key: PreAuthKeyRecord): PreAuthKeyJson {
  const owner = accounts.user(key.user)
  return {
    user: owner ? userJson(owner) : null,
    id: String(key.id),
    key: `${keyBeginning('auth', key.prefix)}-***`,
    reusable: key.reusable,
    ephemeral: key.ephemeral,
    preApproved: key.preApproved,
    used: key.usedAt !== undefined,
    expiration: toTextOrNull(key.expiresAt),
    createdAt: toText(key.createdAt),
    aclTags: key.tags,
  }
}

/** Returns a pre-auth key just made as JSON. */
export function madePreAuthKeyJson(coordinator: Coordinator, { text, key }: MadePreAuthKey): PreAuthKeyJson {
  return { ...preAuthKeyJson(coordinator, key), key: text }
}

/** Returns a node as JSON. */
export function nodeJson(coordinator: Coordinator, status: NodeStatus): NodeJson {
  const { node, dnsName, online, expired, servedRoutes } = status
  const { accounts } = coordinator
  const owner = accounts.user(node.user)
  const key = accounts.preAuthKeys().find(({ id }) => id === node.preAuthKey)
  return {
    id: String(node.id),
    machineKey: node.machineKey,
    nodeKey: node.nodeKey,
    discoKey: node.discoKey,
    ipAddresses: [node.ipv4, node.ipv6],
    name: node.hostinfo.Hostname ?? '',
    givenName: node.givenName,
    dnsName,
    user: owner ? userJson(owner) : TAGGED_DEVICES,
    tags: node.tags,
    endpoints: node.endpoints,
    homeRelay: homeRegionOf(node.hostinfo),
    online,
    expired,
    approved: node.approved,
    ephemeral: node.ephemeral,
    registerMethod: REGISTER_METHODS[node.registerMethod],
    preAuthKey: key ? preAuthKeyJson(coordinator, key) : null,
    approvedRoutes: node.approvedRoutes,
    availableRoutes: node.hostinfo.RoutableIPs ?? [],
    subnetRoutes: servedRoutes,
    attributes: node.attributes ?? {},
    expiry: toTextOrNull(node.expiresAt),
    lastSeen: toTextOrNull(node.lastSeen),
    createdAt: toText(node.createdAt),
  }
}

const REGISTER_METHODS = {
  'auth-key': 'REGISTER_METHOD_AUTH_KEY',
  approved: 'REGISTER_METHOD_CLI',
} as const

/** Returns a reservation as JSON. */
export function reservationJson({ id, ipv4, ipv6, holder, createdAt }: ReservationRecord): ReservationJson {
  return { id: String(id), addresses: [ipv4, ipv6], holder, createdAt: toText(createdAt) }
}

/** Returns a waiting login as JSON. */
export function loginJson({ key, machineKey, request, askedAt }: LoginRecord): LoginJson {
  const { Hostname: hostname = '', OS: os = '', RequestTags: tags } = request.Hostinfo ?? {}
  return { key, hostname, os, tags: tags ?? [], machineKey, nodeKey: request.NodeKey, asked: toText(askedAt) }
}

/** Returns a policy as JSON. */
export function policyJson(record: PolicyRecord | undefined): PolicyJson {
  return { id: record?.id ?? 0, policy: record?.text ?? '', updatedAt: toTextOrNull(record?.createdAt) }
}

/** Returns an API key as JSON. */
export function apiKeyJson({ id, prefix, expiresAt, createdAt }: ApiKeyRecord): ApiKeyJson {
  return {
    id: String(id),
    prefix: `${keyBeginning('api', prefix)}-***`,
    expiration: toTextOrNull(expiresAt),
    createdAt: toText(createdAt),
    lastSeen: null,
  }
}

/** Returns an API key just made as JSON. */
export function madeApiKeyJson({ text, key }: MadeApiKey): MadeApiKeyJson {
  return { ...apiKeyJson(key), key: text }
}

/** Returns a decided SSH login as JSON. */
export function sshCheckJson(coordinator: Coordinator, check: SshCheckRecord): SshCheckJson {
  const [from, to] = coordinator.sshChecks.namesOf(check)
  return { from, to, localUser: check.localUser, accepted: toTextOrNull(check.acceptedAt) }
}

function toText(time: number): string {
  return new Date(time).toISOString()
}

function toTextOrNull(time: number | undefined): string | null {
  return time === undefined ? null : toText(time)
}
