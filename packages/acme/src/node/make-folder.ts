// Making a folder with those above it. Node's own `recursive` goes round for ever where a folder is there and takes none, as
// /proc does: it is told "no such file", and tries the one above again.
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder that nobody else may enter, and what is missing above it; one that is there stays as it is.
 *
 * @throws Error with the system's `code`, `EEXIST` when something else has the name.
 */
export function makePrivateFolder(path: string): void {
  if (isFolder(path)) return
  const above = dirname(path)
  if (above !== path) makePrivateFolder(above)
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isFolder(path)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
