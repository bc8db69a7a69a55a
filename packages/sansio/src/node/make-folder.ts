// Making a folder with those above it. Node's own `recursive` goes round for ever where a folder is there and takes none, as
// /proc does: it is told "no such file", and tries the one above again.
import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a folder and what is missing above it, which nobody else may enter unless `mode` says so; one that is there stays as it is.
 *
 * @throws Error with the system's `code`, `EEXIST` when something else has the name.
 */
export function makeFolder(path: string, mode = 0o700): void {
  if (isFolder(path)) return
  const above = dirname(path)
  if (above !== path) makeFolder(above, mode)
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (!isFolder(path)) throw error
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
