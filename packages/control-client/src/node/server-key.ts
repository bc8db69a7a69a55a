// The server's key: fetched over plain HTTP(S) before anything else, and held against the one known from before.
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { formatMachineKey, isZeroKey, parseMachineKey } from '@mesh/keys'
import { decodeJson, decodeServerKeys, MAX_SERVER_KEYS_LENGTH } from '@mesh/wire/control'
import { ControlError } from '../errors.ts'
import { agentFor } from './agent.ts'
import { lookupOf } from './dial-plan.ts'
import type { ServerUrl } from './server-url.ts'

/** What fetching a key needs. */
export interface FetchKeyOptions {
  /** The server. */
  readonly server: ServerUrl
  /** The capability version to name. */
  readonly version: number
  /** Certificates to trust besides the system's, PEM. */
  readonly ca?: string | undefined
  /** The address to dial in place of what the server's name resolves to. */
  readonly address?: string | undefined
  /** Ends the attempt. */
  readonly signal: AbortSignal
}

/** Returns the server's public key; rejects with what the socket said, or a ControlError. */
export async function fetchServerKey(options: FetchKeyOptions): Promise<Uint8Array> {
  const { status, body } = await get(options)
  const { text } = options.server
  if (status === 400) {
    throw new ControlError('ERR_CONTROL_VERSION', `the control server at ${text} wants a newer client`)
  }
  const keys = status === 200 ? decodeJson(body, decodeServerKeys) : undefined
  const key = keys && parseMachineKey(keys.publicKey)
  if (key === undefined || isZeroKey(key)) {
    throw new ControlError('ERR_CONTROL_NOT_CONTROL', `what answers at ${text} is not a control server`)
  }
  return key
}

/** Throws when the server is known by another key than the one it shows now. */
export function checkPinnedKey(key: Uint8Array, pinned: Uint8Array | undefined, url: string): void {
  if (pinned === undefined || formatMachineKey(key) === formatMachineKey(pinned)) return
  throw new ControlError(
    'ERR_CONTROL_KEY_CHANGED',
    `the control server at ${url} shows another key than before; if it was set up anew on purpose, forget the old key`,
  )
}

function get(options: FetchKeyOptions): Promise<{ status: number; body: Uint8Array }> {
  const { server, version, ca, address, signal } = options
  const send = server.secure ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    const request = send({
      host: server.host,
      port: server.port,
      path: `${server.basePath}/key?v=${version}`,
      headers: { Host: server.authority },
      agent: agentFor(server),
      signal,
      ...(address === undefined ? {} : { lookup: lookupOf(address) }),
      ...(ca === undefined ? {} : { ca }),
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const chunks: Uint8Array[] = []
      let length = 0
      response.on('data', (chunk: Uint8Array) => {
        length += chunk.length
        if (length > MAX_SERVER_KEYS_LENGTH) request.destroy()
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
    })
    request.end()
  })
}
