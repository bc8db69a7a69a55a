// What the coordinator remembers: one record a user, a key, a node, a waiting login and a policy (control §9.3). Times are Unix
// milliseconds; an absent time is `undefined`, never zero, so that no netmap ever shows year 1 or 1970.

import type { Challenge } from './certificates.ts'
import type { DeviceAttributes } from './device-attributes.ts'
import type { Hostinfo, RegisterRequest } from '@mesh/wire/control'

/** Somebody who owns nodes. */
export interface UserRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The login name; unique. */
  readonly name: string
  /** What people read. */
  readonly displayName: string
  /** The mail address; none when left out. */
  readonly email?: string
  /** Where the picture is; none when left out. */
  readonly pictureUrl?: string
  /** When the user was created. */
  readonly createdAt: number
}

/** A pre-auth key as it is remembered: the secret itself only as a hash (threat 8). */
export interface PreAuthKeyRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The public part of the key's text, by which it is found and listed. */
  readonly prefix: string
  /** BLAKE2s-256 of the secret part, whose own 256 random bits make a slow hash pointless. */
  readonly secretHash: Uint8Array
  /** The owner of the nodes it registers; `undefined` for a key of tags only. */
  readonly user: number | undefined
  /** Whether it registers more than one node. */
  readonly reusable: boolean
  /** Whether its nodes vanish when they stay away. */
  readonly ephemeral: boolean
  /** Whether its nodes need nobody's approval, where nodes need one. */
  readonly preApproved: boolean
  /** The tags its nodes get, each as `tag:name`; such nodes belong to no user. */
  readonly tags: readonly string[]
  /** When it was created. */
  readonly createdAt: number
  /** From when on it is refused, or `undefined` for never. */
  readonly expiresAt: number | undefined
  /** When it was first used, or `undefined`. */
  readonly usedAt: number | undefined
}

/** A machine that logged in. */
export interface NodeRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** Opaque and unique for all time; survives a new login of the same node. */
  readonly stableId: string
  /** Who it is on the control channel, as `mkey:` text. */
  readonly machineKey: string
  /** Its WireGuard key, as `nodekey:` text. */
  readonly nodeKey: string
  /** Its disco key as `discokey:` text, or `''` before it told one. */
  readonly discoKey: string
  /** Its owner, or `undefined` when {@link NodeRecord.tags} own it. */
  readonly user: number | undefined
  /** Its tags, each as `tag:name`. */
  readonly tags: readonly string[]
  /** The name in the network: one DNS label, unique. */
  readonly givenName: string
  /** Its address in 100.64.0.0/10. */
  readonly ipv4: string
  /** Its address in fd7a:115c:a1e0::/48. */
  readonly ipv6: string
  /** When its key expires, or `undefined` for never. */
  readonly expiresAt: number | undefined
  /** How it came in. */
  readonly registerMethod: 'auth-key' | 'approved'
  /** The pre-auth key it last came in with. */
  readonly preAuthKey: number | undefined
  /** Whether it may take part: where nodes need approval, one that has none yet sees nobody, and nobody sees it. */
  readonly approved: boolean
  /** Whether it is removed when it stays away. */
  readonly ephemeral: boolean
  /** What it last said of itself. Written by the machine: not to be trusted. */
  readonly hostinfo: Hostinfo
  /** Its candidate endpoints, in the order it gave them. */
  readonly endpoints: readonly string[]
  /** The prefixes it may route for the others, whether or not it offers them; in their normal form. */
  readonly approvedRoutes: readonly string[]
  /** The prefixes of which it is the primary router: elected once, and the same for every server. */
  readonly primaryRoutes: readonly string[]
  /** The capability version it last spoke. */
  readonly capVersion: number
  /** When it first registered. */
  readonly createdAt: number
  /** When it was last connected, or `undefined` before it ever was. */
  readonly lastSeen: number | undefined
  /** Whether it stopped answering though it is connected: routers are asked. False when left out. */
  readonly silent?: boolean
  /** The texts by which it shows authorities that its name is its own; none when left out. */
  readonly challenges?: readonly Challenge[]
  /** What it says of its device; nothing when left out. */
  readonly attributes?: DeviceAttributes
  /** The server that holds its map stream, or held it until just now; `undefined` while it is offline. */
  readonly connectedTo: string | undefined
}

/** A login that waits for a person. */
export interface LoginRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The unguessable last part of its page's address. */
  readonly key: string
  /** Who asked, as `mkey:` text. */
  readonly machineKey: string
  /** What they asked, the last time they did, cut down to what an approval needs. */
  readonly request: RegisterRequest
  /** When they last asked. */
  readonly askedAt: number
  /** The place they asked from, as `placeOf` tells it; nothing for this machine. */
  readonly place?: string
  /** Whether somebody said no. It is kept for a while, so that whoever waits hears of it, wherever they ask. */
  readonly refused: boolean
}

/** A policy that somebody wrote. The newest is in force; those before it are kept for a while. */
export interface PolicyRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** HuJSON, as it was written; it was read and tested before it was taken. */
  readonly text: string
  /** When it was taken. */
  readonly createdAt: number
}

/** A key of an administrator's programs, as it is remembered: the secret itself only as a hash (threat 8). */
export interface ApiKeyRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The public part of the key's text, by which it is found and listed. */
  readonly prefix: string
  /** The hash of the secret part. */
  readonly secretHash: Uint8Array
  /** When it was made. */
  readonly createdAt: number
  /** From when on it is refused, or `undefined` for never. */
  readonly expiresAt: number | undefined
}

/** An address that is kept for a node before it comes, and while it is away. */
export interface ReservationRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The address in 100.64.0.0/10. */
  readonly ipv4: string
  /** The one in fd7a:115c:a1e0::/48 that goes with it. */
  readonly ipv6: string
  /** Whose it is: a node's name, or its machine key as `mkey:` or node key as `nodekey:` text; unique. */
  readonly holder: string
  /** When it was made. */
  readonly createdAt: number
}

/** An SSH login that the policy lets through when a person confirms it. */
export interface SshCheckRecord {
  /** Never 0, never used twice. */
  readonly id: number
  /** The unguessable last part of its page's address. */
  readonly key: string
  /** The node that logs in. */
  readonly from: number
  /** The node at which it does. */
  readonly to: number
  /** Who it becomes there. */
  readonly localUser: string
  /** When it was asked. */
  readonly askedAt: number
  /** When a person confirmed it, or `undefined` while nobody has. */
  readonly acceptedAt: number | undefined
}

/** All kinds of record. */
export interface Records {
  /** Who owns nodes. */
  readonly users: UserRecord
  /** The keys that let machines in. */
  readonly preAuthKeys: PreAuthKeyRecord
  /** The machines that are in. */
  readonly nodes: NodeRecord
  /** The machines that wait. */
  readonly logins: LoginRecord
  /** What the network allows. */
  readonly policies: PolicyRecord
  /** The keys that administer from elsewhere. */
  readonly apiKeys: ApiKeyRecord
  /** The addresses that are spoken for. */
  readonly reservations: ReservationRecord
  /** The SSH logins that a person confirms. */
  readonly sshChecks: SshCheckRecord
}

/** The name of a kind of record. */
export type Kind = keyof Records

/** The names of all kinds. */
export const KINDS = [
  'users',
  'preAuthKeys',
  'nodes',
  'logins',
  'policies',
  'apiKeys',
  'reservations',
  'sshChecks',
] as const satisfies readonly Kind[]
