// The audit log in a database: rows that a transaction adds beside the records it writes. Whoever adds some drops those
// whose time is over, so the table needs nobody to look after it.

import type { Kysely, Transaction } from 'kysely'
import { MAX_NODE_ENTRIES } from '../audit.ts'
import type { AuditEntry, AuditQuery, AuditWrites } from '../audit.ts'
import type { Tables } from './sql-tables.ts'

/** Rows of one statement. */
const ROWS_TOGETHER = 500

/** Adds the entries of the transaction that writes a version. */
export async function writeAudit(
  transaction: Transaction<Tables>,
  network: number,
  version: number,
  { entries, keepSince }: AuditWrites,
): Promise<void> {
  const rows = entries.map((entry, seq) => {
    const by_node = entry.actor.kind === 'node' ? 1 : 0
    return { network_id: network, version, seq, at: entry.at, by_node, entry: JSON.stringify(entry) }
  })
  for (let i = 0; i < rows.length; i += ROWS_TOGETHER)
    await transaction
      .insertInto('audit')
      .values(rows.slice(i, i + ROWS_TOGETHER))
      .execute()
  const old = transaction.deleteFrom('audit').where('network_id', '=', network)
  await old.where('at', '<', keepSince).execute()
  if (rows.some((row) => row.by_node === 1)) await dropNodeEntries(transaction, network)
}

/** Returns the newest entries, oldest first. */
export async function readAudit(
  database: Kysely<Tables>,
  network: number,
  { since, limit }: AuditQuery,
): Promise<readonly AuditEntry[]> {
  let mine = database.selectFrom('audit').select('entry').where('network_id', '=', network)
  if (since !== undefined) mine = mine.where('at', '>=', since)
  const rows = await mine.orderBy('version', 'desc').orderBy('seq', 'desc').limit(limit).execute()
  return rows.map(({ entry }) => JSON.parse(entry) as AuditEntry).toReversed()
}

/** Drops the oldest of what nodes caused, beyond so many: a whole version at a time. */
async function dropNodeEntries(transaction: Transaction<Tables>, network: number): Promise<void> {
  const oldest = await transaction
    .selectFrom('audit')
    .select('version')
    .where('network_id', '=', network)
    .where('by_node', '=', 1)
    .orderBy('version', 'desc')
    .offset(MAX_NODE_ENTRIES)
    .limit(1)
    .executeTakeFirst()
  if (!oldest) return
  await transaction
    .deleteFrom('audit')
    .where('network_id', '=', network)
    .where('by_node', '=', 1)
    .where('version', '<=', oldest.version)
    .execute()
}
