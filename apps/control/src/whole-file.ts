// Files that only their owner may read, and that are whole or not there: written aside, flushed, and put in place.

import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** Writes a file, in the place of one that may be there. */
export function replaceFile(path: string, text: string): void {
  const aside = `${path}.${process.pid}.new`
  try {
    writeFileSync(aside, text, { mode: 0o600, flush: true })
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
