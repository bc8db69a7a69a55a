// The state file: one JSON object, mode 0600, replaced whole. A crash at any moment leaves the old file or the new.
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { makeFolder } from '@mesh/sansio/node'
import { NetError } from '../errors.ts'
import type { StateStore } from '../state-store.ts'

/**
 * Opens the state file at `path`, or starts an empty one when there is none; its directory is made with mode 0700.
 *
 * @throws NetError `ERR_STATE_UNREADABLE` when the file is there but cannot be read, or is not a state file.
 */
export async function openFileStore(path: string): Promise<StateStore> {
  const values = await load(path)
  let writing: Promise<void> = Promise.resolve()
  return {
    read: (name) => values.get(name),
    write(changes) {
      const done = writing.then(async () => {
        const next = merge(values, changes)
        await replaceFile(path, `${JSON.stringify(Object.fromEntries(next), undefined, 2)}\n`)
        values.clear()
        for (const [name, value] of next) values.set(name, value)
      })
      writing = done.catch(() => {})
      return done
    },
  }
}

/**
 * Replaces a file by one with `text`, mode 0600, so that a crash leaves the old or the new one, never a part. One at a
 * time: the draft always has the same name, so that what a crash left of it goes with the next write.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.tmp`
  try {
    makeFolder(dirname(path))
    await rm(draft, { force: true })
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw new NetError(
      'ERR_STATE_UNWRITABLE',
      `The state file ${path} cannot be written (${reason(cause)}).`,
      {
        cause,
      },
    )
  }
  await syncDirectory(dirname(path))
}

async function load(path: string): Promise<Map<string, string>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw new NetError('ERR_STATE_UNREADABLE', `The state file ${path} cannot be read (${reason(cause)}).`, {
      cause,
    })
  }
  const values = parse(text)
  if (values) return values
  throw new NetError(
    'ERR_STATE_UNREADABLE',
    `The state file ${path} is damaged: restore it from a copy, or move it away to start as a new node.`,
  )
}

function parse(text: string): Map<string, string> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value)
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === 'string')) return undefined
  return new Map(entries)
}

function merge(
  values: ReadonlyMap<string, string>,
  changes: Readonly<Record<string, string | undefined>>,
): Map<string, string> {
  const next = new Map(values)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) next.delete(name)
    else next.set(name, value)
  }
  return next
}

/** Makes a rename survive a power cut; a file system that cannot sync a directory is left as it is. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined)
  await directory?.sync().catch(() => {})
  await directory?.close()
}

function reason(cause: unknown): string {
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : String(cause)
}
