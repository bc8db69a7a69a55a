// Files that are whole or not there: written aside, flushed, and put in place. Of two programs that make one at once, one
// wins and both read the same.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { makeFolder } from './make-folder.ts'

/** Reads a file, or returns `undefined` when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Writes a new file of mode 0600, and makes the folders that are missing above it; returns whether it is ours, `false` meaning
 * that there is one already.
 *
 * @throws Error with the system's `code`.
 */
export function createFile(path: string, contents: string): boolean {
  makeFolder(dirname(path))
  try {
    // A link, unlike a rename, refuses when the name is taken.
    writeAside(path, contents, 0o600, linkSync)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A way to write a new file: {@link createFile}, or {@link checkCreatable} for who only wants to look. */
export type MakeFile = (path: string, contents: string) => boolean

/** Says whether {@link createFile} could write a new file, and touches nothing. Throws what is in the way. */
export function checkCreatable(path: string): boolean {
  if (existsSync(path)) return false
  let folder = dirname(path)
  while (!existsSync(folder)) folder = dirname(folder)
  accessSync(folder, constants.W_OK | constants.X_OK)
  return true
}

/**
 * Writes a file, in the place of one that may be there. Only its owner may read it unless `mode` says otherwise.
 *
 * @throws Error with the system's `code`, `ENOENT` when its folder is missing.
 */
export function replaceFile(path: string, contents: string, mode = 0o600): void {
  writeAside(path, contents, mode, renameSync)
}

/** Writes a file beside its place, then puts it there by `place`, and both down to the disk. */
function writeAside(
  path: string,
  contents: string,
  mode: number,
  place: (aside: string, path: string) => void,
): void {
  const aside = `${path}.${process.pid}.new`
  rmSync(aside, { force: true })
  try {
    writeFileSync(aside, contents, { flag: 'wx', mode, flush: true })
    place(aside, path)
    flushFolder(dirname(path))
  } finally {
    rmSync(aside, { force: true })
  }
}

function flushFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
