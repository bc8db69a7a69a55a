// One daemon a state file: two would overwrite each other's keys and be one node in two places. Node has no file lock
// of its own, but SQLite has: the system lets go of it when the process ends, however it ends.
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '@mesh/sansio/node'

/** A lock that is held; it goes with the process. */
export interface StateLock {
  /** Lets go. */
  release(): void
}

/** Locks that are held: one that nobody refers to would be let go by the garbage collector. */
const held = new Set<DatabaseSync>()

/**
 * Takes the lock beside the state file at `path`.
 *
 * @throws Error with one sentence when another daemon has it, or the place cannot be written.
 */
export async function lockState(path: string): Promise<StateLock> {
  const file = `${path}.lock`
  let opened: DatabaseSync | undefined
  try {
    makeFolder(dirname(path))
    const database = new DatabaseSync(file)
    opened = database
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE')
    chmodSync(file, 0o600)
    held.add(database)
    return {
      release: () => {
        if (held.delete(database)) database.close()
      },
    }
  } catch (cause) {
    opened?.close()
    throw new Error(explain(path, cause), { cause })
  }
}

function explain(path: string, cause: unknown): string {
  const { code, errstr, message } = cause as NodeJS.ErrnoException & { errstr?: string }
  if (errstr === 'database is locked') {
    return `Another meshd uses the state file ${path}: stop it, or choose another --state.`
  }
  return `The state file ${path} cannot be locked (${errstr ?? code ?? message}).`
}
