// The server's private key on disk: text, mode 0600, written whole or not at all. Clients pin the public half, so it is
// made once and never replaced by accident: a file that cannot be read is an error, not a reason for a new key.

import { closeSync, fsyncSync, linkSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { formatPrivateKey, generatePrivateKey, parsePrivateKey } from '@mesh/keys'
import { reasonOf, systemRandom } from '@mesh/sansio/node'
import { ControlError } from '../errors.ts'

/**
 * Returns the 32-byte private key in the file, and makes the file when there is none. Two processes that start at once
 * end up with the same key.
 *
 * @throws ControlError `ERR_CONTROL_STORE` when the file cannot be read or holds no key.
 */
export function loadControlKey(path: string): Uint8Array {
  const known = readKey(path)
  if (known) return known
  writeNew(path, `${formatPrivateKey(generatePrivateKey(systemRandom))}\n`)
  const made = readKey(path)
  if (!made) throw new ControlError('ERR_CONTROL_STORE', `The key file ${path} vanished while it was made.`)
  return made
}

function readKey(path: string): Uint8Array | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ControlError('ERR_CONTROL_STORE', `The key file ${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
    })
  }
  const key = parsePrivateKey(text.trim())
  if (!key) throw new ControlError('ERR_CONTROL_STORE', `The key file ${path} does not hold a private key.`)
  return key
}

/** Linking fails when the name exists, so a key that is there already is never overwritten. */
function writeNew(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  try {
    const file = openSync(temporary, 'w', 0o600)
    writeSync(file, text)
    fsyncSync(file)
    closeSync(file)
    linkSync(temporary, path)
    // Clients pin the key within moments: the name must outlive a loss of power too.
    const folder = openSync(dirname(path), 'r')
    fsyncSync(folder)
    closeSync(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return
    throw new ControlError(
      'ERR_CONTROL_STORE',
      `The key file ${path} cannot be written: ${reasonOf(cause)}.`,
      { cause },
    )
  } finally {
    try {
      unlinkSync(temporary)
    } catch {
      // It was never made.
    }
  }
}
