// Files that nobody else may read, and that are whole or not there: written aside, flushed, and put in place. Of two
// programs that make one at once, one wins and both read the same.
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
import { makePrivateFolder } from './make-folder.ts'

/** How the file aside is written: new, for nobody else, all of it, and down to the disk. */
const ASIDE = { flag: 'wx', mode: 0o600, flush: true } as const

/** Reads a file, or returns `undefined` when there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Writes a new file of mode 0600; returns whether it is ours, `false` meaning that there is one already. */
export function createPrivateFile(path: string, contents: string): boolean {
  try {
    // A link, unlike a rename, refuses when the name is taken.
    writeAside(path, contents, linkSync)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A way to write a new file: {@link createPrivateFile}, or {@link checkCreatable} for who only wants to look. */
export type MakeFile = (path: string, contents: string) => boolean

/** Says whether {@link createPrivateFile} could write a new file, and touches nothing. Throws what is in the way. */
export function checkCreatable(path: string): boolean {
  if (existsSync(path)) return false
  let folder = dirname(path)
  while (!existsSync(folder)) folder = dirname(folder)
  accessSync(folder, constants.W_OK | constants.X_OK)
  return true
}

/** Puts a file of mode 0600 in the place of one that may be there. */
export function replacePrivateFile(path: string, contents: string): void {
  writeAside(path, contents, renameSync)
}

/** Writes a file beside its place, then puts it there by `place`, and both down to the disk. */
function writeAside(path: string, contents: string, place: (aside: string, path: string) => void): void {
  const folder = dirname(path)
  makePrivateFolder(folder)
  const aside = `${path}.${process.pid}.new`
  rmSync(aside, { force: true })
  try {
    writeFileSync(aside, contents, ASIDE)
    place(aside, path)
    flushFolder(folder)
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
