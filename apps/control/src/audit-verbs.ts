// `audit`: who did what.

import type { AuditJson } from '@mesh/control-server/node'
import { type Command, InvalidArgumentError } from 'commander'
import { parseDuration } from './durations.ts'
import { printable, show } from './output.ts'
import { table } from './tables.ts'
import { admin, type AdminFlags, inquire } from './verbs.ts'

interface AuditFlags extends AdminFlags {
  readonly since?: number
  readonly limit?: number
}

/** Adds the verbs of `audit`. */
export function addAudit(audit: Command): void {
  admin(audit.command('list').alias('ls'), 'Show who changed what, the newest last.')
    .option('--since <time>', 'not older than this: 24h, 7d or 2027-01-31T12:00:00Z', moment)
    .option('-n, --limit <number>', 'at most so many of the newest (default: 500)', count)
    .action(async (flags: AuditFlags) => {
      const { since, limit } = flags
      const entries = await inquire(flags, {
        verb: 'audit list',
        ...(since === undefined ? {} : { since }),
        ...(limit === undefined ? {} : { limit }),
      })
      await show(flags, entries, auditTable(entries))
    })
}

function auditTable(entries: readonly AuditJson[]): string {
  const rows = entries.map((entry) => [
    entry.time.slice(0, 19).replace('T', ' '),
    [entry.actor.kind, entry.actor.name].filter(Boolean).join(' '),
    entry.action,
    entry.subject,
    changes(entry),
  ])
  return table(['TIME', 'WHO', 'DID', 'TO', 'WHAT'], rows)
}

/** One side alone as `name: value`, both as `name: before -> after`. */
function changes({ before, after }: AuditJson): string {
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])
  const shown = Array.from(names, (name) => {
    const [old, fresh] = [before?.[name], after?.[name]].map(value)
    return before && after ? `${name}: ${old} -> ${fresh}` : `${name}: ${after ? fresh : old}`
  })
  return shown.join(', ')
}

/** What machines say of themselves is among it: nothing of it steers a terminal. */
function value(of: unknown): string {
  if (of === undefined || of === null || (Array.isArray(of) && of.length === 0)) return 'none'
  const text = Array.isArray(of) ? of.join(' ') : typeof of === 'string' ? of : JSON.stringify(of)
  return printable(text.replace(/\s+/g, ' '))
}

function moment(text: string): number {
  if (/^\d+[smhdw]/.test(text)) return Date.now() - parseDuration(text)
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (time > 0) return time
  throw new InvalidArgumentError('Write it as 24h, 7d or 2027-01-31T12:00:00Z.')
}

function count(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('Write a number from 1 on.')
}
