// The Store seat in one SQLite file, which needs no setting up. WAL with full synchronisation: what was committed is on
// disk, and a process killed between two statements leaves none of a half transaction behind.

import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { reasonOf } from '@mesh/sansio/node'
import { Kysely, sql, SqliteDialect } from 'kysely'
import { ControlError } from '../errors.ts'
import type { Store } from '../store.ts'
import { migrate, missingSteps } from './migrate.ts'
import { SqlStore } from './sql-store.ts'
import type { SqlEngine } from './sql-store.ts'
import type { Tables } from './sql-tables.ts'

/** How long to wait for another process that holds the file, milliseconds. */
const BUSY_TIMEOUT = 5000
/** The name under which the one network of a database is kept when none is said. */
export const DEFAULT_NETWORK = 'default'

/**
 * Opens a SQLite file as a store for one server. Makes the file (mode 0600) when there is none, and brings an older one
 * up to date, after saving it beside itself.
 *
 * @param path - A file's path, or `:memory:`.
 * @throws ControlError `ERR_CONTROL_STORE` when the file is damaged, cannot be used, or was written by a later version;
 * it is then as it was.
 */
export async function openSqliteStore(path: string): Promise<Store> {
  await checkFile(path)
  const file = openFile(path, false)
  const database = kyselyOver(file)
  try {
    file.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
    await migrate(database, () => Promise.resolve(backUp(file, `${path}.before-migration`)))
    await database.deleteFrom('servers').execute()
    return await SqlStore.open(engineOver(file, database), DEFAULT_NETWORK)
  } catch (cause) {
    file.close()
    throw unusable(path, cause)
  }
}

/** Returns the names of the migrations that opening the file would run. The file is only read. */
export async function missingSqliteSteps(path: string): Promise<readonly string[]> {
  if (path === ':memory:' || !existsSync(path) || statSync(path).size === 0)
    return missingSteps(kyselyOver(openFile(':memory:', false)))
  return checkFile(path)
}

/** Looks at a file without writing to it: is it whole, and of a version that is known. */
async function checkFile(path: string): Promise<readonly string[]> {
  if (path === ':memory:' || !existsSync(path) || statSync(path).size === 0) return []
  let file: DatabaseSync | undefined
  try {
    file = openFile(path, true)
    const found = file.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (found !== 'ok') {
      const message = `The database ${path} is damaged (${String(found).replaceAll('\n', ' ')}): restore a backup of it.`
      throw new ControlError('ERR_CONTROL_STORE', message)
    }
    if (Number(file.prepare('PRAGMA user_version').get()?.['user_version']) > 0) {
      const message = `The database ${path} was written by a version before the first release: move it away to begin anew.`
      throw new ControlError('ERR_CONTROL_STORE', message)
    }
    return await missingSteps(kyselyOver(file))
  } catch (cause) {
    throw unusable(path, cause)
  } finally {
    file?.close()
  }
}

function openFile(path: string, readOnly: boolean): DatabaseSync {
  try {
    if (path !== ':memory:' && !readOnly) keepPrivate(path)
    return new DatabaseSync(path, { timeout: BUSY_TIMEOUT, readOnly })
  } catch (cause) {
    throw unusable(path, cause)
  }
}

/** SQLite would make the file readable by all; its WAL takes over the file's mode. */
function keepPrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

/** Writes a whole copy of the file, in the place of the one from an earlier migration. */
function backUp(file: DatabaseSync, copy: string): void {
  const aside = `${copy}.new`
  rmSync(aside, { force: true })
  try {
    keepPrivate(aside)
    file.prepare('VACUUM INTO ?').run(aside)
    renameSync(aside, copy)
  } finally {
    rmSync(aside, { force: true })
  }
}

function unusable(path: string, cause: unknown): ControlError {
  if (cause instanceof ControlError) return cause
  return new ControlError('ERR_CONTROL_STORE', `The database ${path} cannot be used: ${reasonOf(cause)}.`, {
    cause,
  })
}

/** Kysely asks for statements in the form of better-sqlite3. */
function kyselyOver(file: DatabaseSync): Kysely<Tables> {
  const statements = new Map<string, StatementSync>()
  const prepare = (text: string): StatementSync => {
    const statement = statements.get(text) ?? file.prepare(text)
    if (statements.size < 100) statements.set(text, statement)
    return statement
  }
  return new Kysely<Tables>({
    dialect: new SqliteDialect({
      database: {
        close: () => file.close(),
        prepare: (text) => {
          const statement = prepare(text)
          return {
            reader: statement.columns().length > 0,
            all: (values) => statement.all(...(values as SQLInputValue[])),
            run: (values) => {
              // A full disk has ended the transaction already; that must not hide why it failed.
              if (text === 'rollback' && !file.isTransaction) return { changes: 0, lastInsertRowid: 0 }
              return statement.run(...(values as SQLInputValue[]))
            },
            iterate: (values) => statement.iterate(...(values as SQLInputValue[])),
          }
        },
      },
    }),
  })
}

function engineOver(file: DatabaseSync, database: Kysely<Tables>): SqlEngine {
  return {
    database,
    clock: sql<number>`cast(unixepoch('subsec') * 1000 as integer)`,
    isConflict: (error) =>
      error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 19,
    // There is one server to a file, and it knows what it wrote.
    notify: () => Promise.resolve(),
    watch: () => () => undefined,
    close: async () => {
      await database.destroy()
      if (file.isOpen) file.close()
    },
  }
}
