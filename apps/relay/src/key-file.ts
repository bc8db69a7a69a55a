// The relay's key, in the JSON file that derper uses too, so that either program can go on with the other's.
import { generatePrivateKey, formatPrivateKey, parsePrivateKey } from '@mesh/keys'
import { createFile, type MakeFile, readIfThere, reasonOf, systemRandom } from '@mesh/sansio/node'
import { Failure } from './failure.ts'

/**
 * Returns the private key kept in a file, which is made with a fresh key when missing, by `make`.
 *
 * @throws Failure when the file cannot be read or made, or holds no key.
 */
export function loadOrCreateKey(path: string, make: MakeFile = createFile): Uint8Array {
  try {
    const contents = readIfThere(path) ?? createKeyFile(path, make)
    const key = readKey(contents)
    if (key !== undefined) return key
  } catch (cause) {
    throw new Failure(`The key file ${path} cannot be used: ${reasonOf(cause)}.`, undefined, { cause })
  }
  throw new Failure(`The key file ${path} holds no relay key; move it away to start with a fresh one.`)
}

function createKeyFile(path: string, make: MakeFile): string {
  const contents = `${JSON.stringify({ PrivateKey: formatPrivateKey(generatePrivateKey(systemRandom)) }, null, '\t')}\n`
  if (make(path, contents)) return contents
  return readIfThere(path) ?? ''
}

function readKey(contents: string): Uint8Array | undefined {
  try {
    const value: unknown = JSON.parse(contents)
    if (typeof value !== 'object' || value === null || !('PrivateKey' in value)) return undefined
    return typeof value.PrivateKey === 'string' ? parsePrivateKey(value.PrivateKey) : undefined
  } catch {
    return undefined
  }
}
