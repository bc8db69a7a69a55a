// Files that are whole or not there: written aside, flushed, and put in place.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Writes a file, in the place of one that may be there. Only its owner may read it when no other mode is named. */
export function replaceFile(path: string, text: string, mode = 0o600): void {
  const aside = `${path}.${process.pid}.new`
  try {
    writeFileSync(aside, text, { mode, flush: true })
    renameSync(aside, path)
  } finally {
    rmSync(aside, { force: true })
  }
}

/** Writes a file where there is none. */
export function writeNewFile(path: string, text: string): void {
  if (existsSync(path)) throw new Error('it is there already')
  replaceFile(path, text)
}
