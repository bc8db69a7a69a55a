// Which database a server keeps its records in: the file of its state directory, or PostgreSQL, which servers share.

import { join } from 'node:path'
import type { Store } from '@mesh/control-server'
import {
  claimNetwork,
  loadControlKey,
  missingPostgresSteps,
  missingSqliteSteps,
  openPostgresStore,
  openSqliteStore,
} from '@mesh/control-server/node'
import { replaceFile } from '@mesh/sansio/node'
import type { StateDirectory } from './state-directory.ts'

/** Opens the database at a URL, or the file of the directory when there is none. */
export function openStore(url: string | undefined, state: StateDirectory): Promise<Store> {
  if (url === undefined) return openSqliteStore(state.database)
  const backup = join(state.path, 'database.before-migration.json')
  const onMigration = async (rows: object): Promise<void> => replaceFile(backup, JSON.stringify(rows))
  return openPostgresStore({ url, onMigration })
}

/** Binds the network in a database to the key in a file, whatever it was bound to. Returns the public key, as text. */
export async function bindToKey(
  url: string | undefined,
  state: StateDirectory,
  keyFile: string,
): Promise<string> {
  const privateKey = loadControlKey(keyFile)
  const store = await openStore(url, state)
  try {
    return await claimNetwork(store, privateKey, true)
  } finally {
    await store.close()
  }
}

/** Returns the migrations that opening it would run, without running them. */
export function missingSteps(url: string | undefined, state: StateDirectory): Promise<readonly string[]> {
  return url === undefined ? missingSqliteSteps(state.database) : missingPostgresSteps(url)
}
