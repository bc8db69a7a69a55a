// What an administrator may ask of the coordinator, and what they get to see. Secrets are in none of the answers but
// those that make a key.

import type { ApiKeyRecord, NodeRecord, PreAuthKeyRecord } from './records.ts'

/** What is needed to make a user. */
export interface NewUser {
  /** The login name: letters, digits and `. _ - @ +`, unique. */
  readonly name: string
  /** What people read; the name when left out. */
  readonly displayName?: string
  /** The mail address, by which a policy may name the user too; none when left out. */
  readonly email?: string
  /** Where the picture is that people see, http or https; none when left out. */
  readonly pictureUrl?: string
}

/** Which users are wanted: those of whom all that is said is so. */
export interface UserFilter {
  /** The number. */
  readonly id?: string
  /** The login name. */
  readonly name?: string
  /** The mail address. */
  readonly email?: string
}

/** What is needed to make a pre-auth key. */
export interface NewPreAuthKey {
  /** The owner's name or number; may be left out when there are tags. */
  readonly user?: string
  /** Whether it registers more than one node. */
  readonly reusable?: boolean
  /** Whether its nodes vanish when they stay away. */
  readonly ephemeral?: boolean
  /** Whether its nodes need nobody's approval, where nodes need one. */
  readonly preApproved?: boolean
  /** How long it can be used, milliseconds. */
  readonly lifetime?: number
  /** The tags its nodes get, each as `tag:name`. */
  readonly tags?: readonly string[]
}

/** A pre-auth key just made. */
export interface MadePreAuthKey {
  /** The key's text: a secret, shown this once. */
  readonly text: string
  /** What is remembered of it. */
  readonly key: PreAuthKeyRecord
}

/** An API key just made. */
export interface MadeApiKey {
  /** The key's text: a secret, shown this once. */
  readonly text: string
  /** What is remembered of it. */
  readonly key: ApiKeyRecord
}

/** What may be chosen for a machine as it is let in. */
export interface NodeChoice {
  /** Its name. */
  readonly name?: string
  /** Its address, of either family. */
  readonly address?: string
}

/** A node as an administrator sees it. */
export interface NodeStatus {
  /** What is remembered of it. */
  readonly node: NodeRecord
  /** Its owner's name; empty for a tagged node. */
  readonly userName: string
  /** Its full DNS name, without the trailing dot. */
  readonly dnsName: string
  /** Whether it counts as connected. */
  readonly online: boolean
  /** Whether its key has expired. */
  readonly expired: boolean
  /** The prefixes that peers send to it now. */
  readonly servedRoutes: readonly string[]
}

/** Tells whether text can be a user's login name. */
export function isUserName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/.test(text)
}

/** Tells whether text can be a tag. */
export function isTag(text: string): boolean {
  return /^tag:[A-Za-z][A-Za-z0-9-]{0,49}$/.test(text)
}
