// Records as text, for stores and backups: JSON, bytes as hex. A field that an older record does not have yet gets what
// it means to have none.

import type { Kind, NodeRecord, Records } from './records.ts'

const ABSENT = {
  users: {},
  preAuthKeys: { preApproved: false, user: undefined, expiresAt: undefined, usedAt: undefined },
  nodes: {
    approved: true,
    user: undefined,
    expiresAt: undefined,
    preAuthKey: undefined,
    lastSeen: undefined,
    connectedTo: undefined,
    primaryRoutes: [],
  },
  logins: { refused: false },
  policies: {},
  apiKeys: { expiresAt: undefined },
  reservations: {},
  sshChecks: { acceptedAt: undefined },
} satisfies { [K in Kind]: Partial<Records[K]> } & { nodes: Partial<NodeRecord> }

/** Returns a record as JSON text. */
export function encodeRecord(record: Records[Kind]): string {
  return JSON.stringify(record, (_, value: unknown) => (value instanceof Uint8Array ? toHex(value) : value))
}

/** Returns the record in JSON text that {@link encodeRecord} wrote. */
export function decodeRecord<K extends Kind>(kind: K, text: string): Records[K] {
  const fields = { ...ABSENT[kind], ...(JSON.parse(text) as object) } as unknown as Records[K]
  const { secretHash } = fields as unknown as { readonly secretHash?: string }
  return secretHash === undefined ? fields : { ...fields, secretHash: fromHex(secretHash) }
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
