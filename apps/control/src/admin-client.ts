// How a command line reaches the running server: one JSON command, one JSON answer, over its socket, or over HTTPS with an
// API key. Kept apart from the server's side so that short commands start fast.

import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { AdminAnswer, AdminCommand, AdminQuestion, AdminResult } from '@mesh/control-server/node'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import { CommandError } from './command-error.ts'

/** A name no web page can have: a browser that is led to the socket does not get through. */
export const ADMIN_HOST = 'mesh-control.local'

/** Where commands go to, as `ADMIN_PATH` of the server says; not imported, for that would load the server. */
const PATH = '/api/v1/command'

/** The longest answer, bytes. */
const MAX_ANSWER = 256 << 20

/** A server that says nothing for so long is not there, milliseconds. */
const SILENCE = 30_000

/** Where the server is. */
export type Server =
  | { readonly kind: 'socket'; readonly path: string }
  | { readonly kind: 'remote'; readonly url: URL; readonly key: string; readonly insecure: boolean }

/** Has the running server do a command. */
export async function sendCommand<C extends AdminCommand>(
  server: Server,
  command: C,
): Promise<AdminResult<C>> {
  return (await send(server, command)) as AdminResult<C>
}

/** Has the running server answer a question. */
export async function sendQuestion<Q extends AdminQuestion>(
  server: Server,
  question: Q,
): Promise<AdminAnswer<Q>> {
  return (await send(server, question)) as AdminAnswer<Q>
}

async function send(server: Server, command: AdminCommand | AdminQuestion): Promise<unknown> {
  const { status, body } = await exchange(server, JSON.stringify(command))
  const value = readJson(body) as { result: unknown; detail?: string } | undefined
  if (status === 200 && value) return value.result
  if (value?.detail !== undefined) throw new CommandError(value.detail)
  if (server.kind === 'remote' && status === 404)
    throw new CommandError(`${server.url.origin} answers, but not as mesh-control, or as an older one.`)
  throw new CommandError(`The server gave an answer that cannot be read (status ${status}).`)
}

function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined
  }
}

function exchange(server: Server, command: string): Promise<{ status: number; body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const call = open(server)
    const fail = (error: Error): void => reject(explain(server, error))
    call.setTimeout(SILENCE, () => call.destroy(new Error('it says nothing')))
    call.on('error', fail)
    call.on('response', (response) => {
      readAll(response, MAX_ANSWER).then((body) => resolve({ status: response.statusCode ?? 0, body }), fail)
    })
    call.end(command)
  })
}

function open(server: Server): ReturnType<typeof httpRequest> {
  const post: RequestOptions = { method: 'POST', path: PATH }
  if (server.kind === 'socket')
    return httpRequest({ ...post, socketPath: server.path, headers: { Host: ADMIN_HOST } })
  const { url, key, insecure } = server
  const options = { ...post, headers: { Authorization: `Bearer ${key}` } }
  if (url.protocol === 'http:') return httpRequest(url, options)
  return httpsRequest(url, { ...options, rejectUnauthorized: !insecure })
}

function explain(server: Server, error: Error): CommandError {
  const code = systemCodeOf(error)
  if (server.kind === 'remote') return new CommandError(explainRemote(server.url, error, code))
  const { path } = server
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new CommandError(
      `No mesh-control is serving on ${path}: start it, or name its --state-dir, or its --url.`,
    )
  }
  if (code === 'EACCES') return new CommandError(`The socket ${path} is not yours to open.`)
  return new CommandError(`The server at ${path} cannot be reached: ${reasonOf(error)}.`)
}

function explainRemote(url: URL, error: Error, code: string): string {
  if (/CERT|SELF_SIGNED|ISSUER|SIGNATURE/.test(code))
    return `The certificate of ${url.host} is not trusted (${reasonOf(error)}): name its authority by NODE_EXTRA_CA_CERTS, or use --insecure.`
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'EPROTO')
    return `${url.host} does not speak TLS: is it http://${url.host}?`
  return `The server at ${url.origin} cannot be reached: ${reasonOf(error)}.`
}

/** Returns a whole body. Throws when it is longer than `most` bytes. */
async function readAll(message: IncomingMessage, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > most) throw new Error('the message is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
