// How a command line reaches the running server: one JSON command, one JSON answer, over its socket. Kept apart from the
// server's side so that short commands start fast.

import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { AdminCommand, AdminResult, PingCommand, PingJson } from '@mesh/control-server/node'
import { CommandError, reasonOf, systemCodeOf } from './command-error.ts'

/** A name no web page can have: a browser that is led to the socket does not get through. */
export const ADMIN_HOST = 'mesh-control.local'

/** The longest answer, bytes. */
const MAX_ANSWER = 256 << 20

/** Has the running server do a command. */
export async function sendCommand<C extends AdminCommand>(path: string, command: C): Promise<AdminResult<C>> {
  return (await send(path, command)) as AdminResult<C>
}

/** Has the running server ask a node whether it is there. */
export async function sendPing(path: string, command: PingCommand): Promise<PingJson> {
  return (await send(path, command)) as PingJson
}

async function send(path: string, command: AdminCommand | PingCommand): Promise<unknown> {
  const { status, body } = await exchange(path, JSON.stringify(command))
  const value = readJson(body) as { result: unknown; message?: string } | undefined
  if (status === 200 && value) return value.result
  throw new CommandError(value?.message ?? 'The server gave an answer that cannot be read.')
}

function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body))
  } catch {
    return undefined
  }
}

function exchange(path: string, command: string): Promise<{ status: number; body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({
      socketPath: path,
      method: 'POST',
      path: '/admin',
      headers: { Host: ADMIN_HOST },
    })
    const fail = (error: Error): void => reject(explain(path, error))
    call.on('error', fail)
    call.on('response', (response) => {
      readAll(response, MAX_ANSWER).then((body) => resolve({ status: response.statusCode ?? 0, body }), fail)
    })
    call.end(command)
  })
}

function explain(path: string, error: Error): CommandError {
  const code = systemCodeOf(error)
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return new CommandError(`No mesh-control is serving on ${path}: start it, or name its --state-dir.`)
  }
  if (code === 'EACCES') return new CommandError(`The socket ${path} is not yours to open.`)
  return new CommandError(`The server at ${path} cannot be reached: ${reasonOf(error)}.`)
}

/** Returns a whole body. Throws when it is longer than `most` bytes. */
export async function readAll(message: IncomingMessage, most: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > most) throw new Error('the message is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
