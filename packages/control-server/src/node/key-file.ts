// The server's private key on disk: text, mode 0600, written whole or not at all. Clients pin the public half, so it is
// made once and never replaced by accident: a file that cannot be read is an error, not a reason for a new key.

import { formatPrivateKey, generatePrivateKey, parsePrivateKey } from '@mesh/keys'
import { createFile, readIfThere, reasonOf, systemRandom } from '@mesh/sansio/node'
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
  let text: string | undefined
  try {
    text = readIfThere(path)
  } catch (cause) {
    throw new ControlError('ERR_CONTROL_STORE', `The key file ${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
    })
  }
  if (text === undefined) return undefined
  const key = parsePrivateKey(text.trim())
  if (!key) throw new ControlError('ERR_CONTROL_STORE', `The key file ${path} does not hold a private key.`)
  return key
}

// Clients pin the key within moments: a key that is there is never overwritten, and its name outlives a loss of power.
function writeNew(path: string, text: string): void {
  try {
    createFile(path, text)
  } catch (cause) {
    throw new ControlError(
      'ERR_CONTROL_STORE',
      `The key file ${path} cannot be written: ${reasonOf(cause)}.`,
      { cause },
    )
  }
}
