// Which server a verb asks: the one on this machine, by its socket, or one elsewhere, by its address and an API key.

import { readFileSync } from 'node:fs'
import { reasonOf } from '@mesh/sansio/node'
import type { Server } from './admin-client.ts'
import { CommandError } from './command-error.ts'
import { stateDirectory } from './state-directory.ts'

/** Flags that say which. */
export interface ConnectionFlags {
  readonly stateDir: string
  readonly url?: string
  readonly apiKeyFile?: string
  readonly insecure?: boolean
}

/** Returns the server that the flags name. */
export function serverOf({ stateDir, url, apiKeyFile, insecure = false }: ConnectionFlags): Server {
  if (url === undefined || url === '') return { kind: 'socket', path: stateDirectory(stateDir).socket }
  const address = addressOf(url)
  if (address.protocol === 'http:' && !insecure && !isLoopback(address.hostname))
    throw new CommandError(
      `Over plain http:// everybody on the way would read the API key: use https://${address.host}, or --insecure.`,
    )
  return { kind: 'remote', url: address, key: apiKey(apiKeyFile), insecure }
}

/** A bare host means https, as in Headscale. */
function addressOf(text: string): URL {
  const url = URL.parse(text.includes('://') ? text : `https://${text}`)
  if (url && /^https?:$/.test(url.protocol) && url.pathname === '/' && url.username === '') return url
  throw new CommandError(`${JSON.stringify(text)} is no address of a server: write https://control.example.`)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function apiKey(file: string | undefined): string {
  const text = (file === undefined ? process.env['MESH_CONTROL_API_KEY'] : read(file))?.trim() ?? ''
  if (text === '')
    throw new CommandError(
      'A server elsewhere wants an API key: make one there by "mesh-control apikeys create", and put it into MESH_CONTROL_API_KEY or a file for --api-key-file.',
    )
  if (/^meshkey-api-[0-9a-f]{12}-[0-9a-f]{64}$/.test(text)) return text
  throw new CommandError(
    `${file ?? 'MESH_CONTROL_API_KEY'} does not hold an API key: those begin with meshkey-api-.`,
  )
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CommandError(`The API key cannot be read from ${path}: ${reasonOf(cause)}.`, { cause })
  }
}
