// Who changed what, and when. Entries are read off the journal of a transaction, not written by whoever changes something:
// so no change is forgotten, none is noted that was taken back, and both are stored in one step. What machines report of
// themselves all the time (endpoints, relays, that they are connected) is no change in this sense.

import type {
  ApiKeyRecord,
  Kind,
  NodeRecord,
  PolicyRecord,
  PreAuthKeyRecord,
  Records,
  ReservationRecord,
  SshCheckRecord,
  UserRecord,
} from './records.ts'

/**
 * The most entries kept that nodes caused. Those that people caused are bounded by time alone: no machine can push them
 * out.
 */
export const MAX_NODE_ENTRIES = 20_000
/** The longest value shown, characters. */
const MAX_VALUE = 300

/** Who did something. */
export interface Actor {
  /**
   * `cli`: whoever may open the server's command socket. `api-key`: by its prefix. `user`: by their login name. `node`: by
   * its name, or its machine key before it has one. `server`: nobody, it fell due.
   */
  readonly kind: 'cli' | 'api-key' | 'user' | 'node' | 'server'
  /** Which one; empty for `cli`. */
  readonly name: string
}

/** Some fields of a record, by name, cut to what people read. */
export type AuditFields = Readonly<Record<string, unknown>>

/** One thing that somebody did. */
export interface AuditEntry {
  /** When, Unix milliseconds. */
  readonly at: number
  /** Who. */
  readonly actor: Actor
  /**
   * What: `report` is what a client wants noted, `call` that a node's client was asked to do something, `restore` that a
   * backup replaced everything.
   */
  readonly action: 'create' | 'change' | 'remove' | 'report' | 'call' | 'restore'
  /** Of what, as `node 7 (laptop)`. */
  readonly subject: string
  /** What it was: the fields that changed, or all that matter of what is gone. */
  readonly before?: AuditFields
  /** What it became. */
  readonly after?: AuditFields
}

/** What somebody did that is not a change of a record. */
export type AuditNote = Omit<AuditEntry, 'at' | 'actor'>

/** What a transaction adds to the log. */
export interface AuditWrites {
  /** The new entries. */
  readonly entries: readonly AuditEntry[]
  /** Entries older than this are dropped, Unix milliseconds. */
  readonly keepSince: number
}

/** Which entries are wanted: the newest ones, oldest first. */
export interface AuditQuery {
  /** Not older than this, Unix milliseconds; of any age when left out. */
  readonly since?: number
  /** The most of them. */
  readonly limit: number
}

/** One record's change, and who made it. */
export interface AuditedChange {
  readonly kind: Kind
  readonly id: number
  readonly before: Records[Kind] | undefined
  readonly after: Records[Kind] | undefined
  readonly actor: Actor
}

/** Returns a user's name by number. */
type NameOf = (user: number | undefined) => string | undefined

interface Shown<T> {
  /** The words for one of them; nothing for a kind whose records say nothing of their own. */
  readonly subject: (record: T) => string
  readonly fields: (record: T, nameOf: NameOf) => AuditFields
}

/** What of each kind is shown; `undefined` for those that only wait for something else to happen. */
const SHOWN: { readonly [K in Kind]: Shown<Records[K]> | undefined } = {
  users: {
    subject: ({ id, name }: UserRecord) => `user ${id} (${name})`,
    fields: ({ name, displayName, email, pictureUrl }) => ({ name, displayName, email, pictureUrl }),
  },
  preAuthKeys: {
    subject: ({ id, prefix }: PreAuthKeyRecord) => `pre-auth key ${id} (${prefix})`,
    fields: ({ user, reusable, ephemeral, preApproved, tags, expiresAt, usedAt }, nameOf) => {
      return {
        user: nameOf(user),
        reusable,
        ephemeral,
        preApproved,
        tags,
        expires: time(expiresAt),
        used: time(usedAt),
      }
    },
  },
  nodes: {
    subject: nodeSubject,
    fields: nodeFields,
  },
  apiKeys: {
    subject: ({ id, prefix }: ApiKeyRecord) => `API key ${id} (${prefix})`,
    fields: ({ expiresAt }) => ({ expires: time(expiresAt) }),
  },
  reservations: {
    subject: ({ id, ipv4 }: ReservationRecord) => `reservation ${id} (${ipv4})`,
    fields: ({ ipv4, ipv6, holder }) => ({ addresses: [ipv4, ipv6], holder }),
  },
  sshChecks: {
    subject: ({ id, from, to }: SshCheckRecord) => `SSH check ${id} (node ${from} at node ${to})`,
    fields: ({ localUser, acceptedAt }) => ({ localUser, accepted: time(acceptedAt) }),
  },
  logins: undefined,
  policies: {
    subject: ({ id }: PolicyRecord) => `policy ${id}`,
    fields: ({ text }) => ({ policy: text }),
  },
}

/** Returns the words for a node. */
export function nodeSubject({ id, givenName }: NodeRecord): string {
  return `node ${id} (${givenName})`
}

function nodeFields(node: NodeRecord, nameOf: NameOf): AuditFields {
  return {
    name: node.givenName,
    user: nameOf(node.user),
    tags: node.tags,
    addresses: [node.ipv4, node.ipv6],
    machineKey: node.machineKey,
    nodeKey: node.nodeKey,
    expires: time(node.expiresAt),
    registered: node.registerMethod,
    preAuthKey: node.preAuthKey,
    approved: node.approved,
    ephemeral: node.ephemeral,
    offeredRoutes: node.hostinfo.RoutableIPs ?? [],
    approvedRoutes: node.approvedRoutes,
    primaryRoutes: node.primaryRoutes,
    challenges: (node.challenges ?? []).map(({ value }) => value),
    attributes: node.attributes,
  }
}

/** Returns the entry for a change, or `undefined` when nothing changed that matters. */
export function auditEntry(change: AuditedChange, at: number, nameOf: NameOf): AuditEntry | undefined {
  const { kind, actor } = change
  const shown = SHOWN[kind] as Shown<Records[Kind]> | undefined
  const record = change.after ?? change.before
  if (!shown || !record) return undefined
  const before = change.before && shown.fields(change.before, nameOf)
  const after = change.after && shown.fields(change.after, nameOf)
  const [old, fresh] = [differing(before, after), differing(after, before)]
  const action = !before ? 'create' : after ? 'change' : 'remove'
  if (action === 'change' && Object.keys({ ...old, ...fresh }).length === 0) return undefined
  return {
    at,
    actor,
    action,
    subject: shown.subject(change.before ?? record),
    ...(before ? { before: old } : {}),
    ...(after ? { after: fresh } : {}),
  }
}

/** Returns the fields of one side that differ from the other; of a side alone, those that say something. */
function differing(side: AuditFields | undefined, other: AuditFields | undefined): AuditFields {
  const entries = Object.entries(side ?? {}).filter(([name, value]) => {
    if (other) return value !== other[name] && JSON.stringify(value) !== JSON.stringify(other[name])
    return value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0)
  })
  return Object.fromEntries(entries.map(([name, value]) => [name, short(value)]))
}

/** An absent value is `null`, so that it is seen in JSON. */
function short(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE)}…` : value
  const text = JSON.stringify(value)
  return text !== undefined && text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : (value ?? null)
}

function time(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString()
}
