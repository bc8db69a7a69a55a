// Bringing a database up to this version: kysely's Migrator runs the steps that are missing, all in one transaction, and
// remembers by name which ran. A database with steps that this version does not know was written by a later one, and is
// left alone.

import { reasonOf } from '@mesh/sansio/node'
import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { ControlError } from '../errors.ts'
import { MIGRATIONS } from './sql-tables.ts'
import type { Tables } from './sql-tables.ts'

/** Where the Migrator remembers what ran; not the name it would choose, for a database may be shared. */
const STEPS_TABLE = 'mesh_migrations'
const LOCK_TABLE = 'mesh_migrations_lock'

/** Returns the names of the steps that are missing. Throws `ControlError` for a database from a later version. */
export async function missingSteps(database: Kysely<Tables>): Promise<readonly string[]> {
  const ran = await stepsRun(database)
  const unknown = ran.filter((name) => !Object.hasOwn(MIGRATIONS, name))
  if (unknown.length > 0) {
    const message = `The database was written by a later version of this program (${unknown.join(', ')}): run that version, or restore the backup made before it.`
    throw new ControlError('ERR_CONTROL_STORE', message)
  }
  return Object.keys(MIGRATIONS).filter((name) => !ran.includes(name))
}

/**
 * Runs the missing steps. Returns their names.
 *
 * @param backUp - Saves what is there before it is changed; called only when something is.
 */
export async function migrate(
  database: Kysely<Tables>,
  backUp: () => Promise<void>,
): Promise<readonly string[]> {
  const missing = await missingSteps(database)
  if (missing.length === 0) return missing
  if (missing.length < Object.keys(MIGRATIONS).length) await backUp()
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: () => Promise.resolve({ ...MIGRATIONS }) },
    migrationTableName: STEPS_TABLE,
    migrationLockTableName: LOCK_TABLE,
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return missing
  throw new ControlError('ERR_CONTROL_STORE', `The database could not be migrated: ${reasonOf(error)}.`, {
    cause: error,
  })
}

async function stepsRun(database: Kysely<Tables>): Promise<readonly string[]> {
  const tables = await database.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(({ name }) => name === STEPS_TABLE)) return []
  const steps = database as unknown as Kysely<{ [STEPS_TABLE]: { name: string } }>
  const rows = await steps.selectFrom(STEPS_TABLE).select('name').orderBy('name').execute()
  return rows.map(({ name }) => name)
}
