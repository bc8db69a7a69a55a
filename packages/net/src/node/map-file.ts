// The file of the last map: mode 0600, replaced whole, as the state file is. It holds no private key, but who is in the
// network and where.
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { MapCache } from '../map-cache.ts'
import { replaceFile } from './file-store.ts'

/** Returns the cache that keeps the last map in the file at `path`. One that cannot be read counts as empty. */
export function mapFile(path: string): MapCache {
  let writing: Promise<void> = Promise.resolve()
  return {
    read() {
      try {
        return readFileSync(path, 'utf8')
      } catch {
        return undefined
      }
    },
    write(text) {
      const done = writing.then(() =>
        text === undefined ? rm(path, { force: true }) : replaceFile(path, text),
      )
      writing = done.catch(() => {})
      return done
    },
  }
}
