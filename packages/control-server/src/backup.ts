// A whole network as text, whatever it is stored in: one JSON line that says what it is, then one a record. A backup of a
// SQLite file can be restored into PostgreSQL and the other way round.

import { ControlError } from './errors.ts'
import { KINDS } from './records.ts'
import type { Kind, Records } from './records.ts'
import { decodeRecord, encodeRecord } from './record-json.ts'
import { NOTHING } from './state.ts'
import type { State } from './state.ts'
import type { Counters } from './store.ts'

const FORMAT = 1

interface Head {
  readonly meshControlBackup: number
  readonly counters: Counters
  /** How many lines follow: a backup that was cut off at the end of one is none. */
  readonly records: number
}

interface Backup {
  readonly head: Head
  readonly records: ReadonlyMap<Kind, ReadonlyMap<number, Records[Kind]>>
}

/** Returns everything that is remembered but the audit log, as text. It holds no usable secret, but who is in the network. */
export function writeBackup(state: State): string {
  const lines: string[] = []
  for (const kind of KINDS) {
    for (const record of state.all(kind).values()) lines.push(`${kind} ${encodeRecord(record)}`)
  }
  const head: Head = { meshControlBackup: FORMAT, counters: state.counters, records: lines.length }
  return `${[JSON.stringify(head), ...lines].join('\n')}\n`
}

/**
 * Puts a backup in the place of everything that is remembered. What is counted up goes on from the higher of both, so
 * that nothing is given twice.
 *
 * @throws ControlError `ERR_CONTROL_BACKUP` when the text is no backup; then nothing was changed.
 */
export function restoreBackup(state: State, text: string): void {
  const backup = readBackup(text)
  const after = { records: backup.head.records }
  state.summed({ action: 'restore', subject: 'the network', after }, () => putBack(state, backup))
}

function putBack(state: State, { head, records }: Backup): void {
  for (const kind of KINDS) {
    const kept = records.get(kind) ?? new Map<number, Records[Kind]>()
    for (const id of state.all(kind).keys()) if (!kept.has(id)) state.remove(kind, id)
    for (const record of kept.values()) state.put(kind, record)
  }
  const counters = Object.keys(NOTHING.counters).map((name) => {
    const [before, saved] = [state.counters, head.counters].map((each) => each[name as keyof Counters] ?? 0)
    return [name, Math.max(before ?? 0, saved ?? 0)]
  })
  state.count(Object.fromEntries(counters) as Counters)
}

function readBackup(text: string): Backup {
  const [first = '', ...lines] = text.trimEnd().split('\n')
  const head = parse(first) as Head | undefined
  if (
    head?.meshControlBackup !== FORMAT ||
    !Object.values(head.counters ?? { none: NaN }).every(Number.isSafeInteger)
  )
    throw notABackup(1)
  const records = new Map<Kind, Map<number, Records[Kind]>>(KINDS.map((kind) => [kind, new Map()]))
  for (const [i, line] of lines.entries()) {
    const space = line.indexOf(' ')
    const table = records.get(line.slice(0, space) as Kind)
    const id = (parse(line.slice(space + 1)) as Partial<Records[Kind]> | null | undefined)?.id
    if (!table || !Number.isSafeInteger(id) || !id) throw notABackup(i + 2)
    const record = decodeRecord(line.slice(0, space) as Kind, line.slice(space + 1))
    table.set(record.id, record)
  }
  if (lines.length !== head.records) {
    const message = `This backup is cut off: ${lines.length} of its ${head.records} records are there.`
    throw new ControlError('ERR_CONTROL_BACKUP', message)
  }
  return { head, records }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function notABackup(line: number): ControlError {
  return new ControlError(
    'ERR_CONTROL_BACKUP',
    `This is no backup of mesh-control: line ${line} is not one of its lines.`,
  )
}
