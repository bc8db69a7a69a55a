// How administrators' commands reach the running server: one JSON command a request, over a unix socket that only its
// owner can open. The running server does the work, so what changes is heard by connected nodes at once.

import { chmodSync, unlinkSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { ControlError } from '@mesh/control-server'
import {
  type AdminCommand,
  type AdminResult,
  type ControlListener,
  readAdminCommand,
} from '@mesh/control-server/node'
import { parseJson } from '@mesh/wire/control'
import { CommandError, reasonOf, systemCodeOf } from './command-error.ts'

/** The longest command, bytes. */
const MAX_COMMAND = 64 << 10
/** A name no web page can have: a browser that is led here does not get through. */
const HOST = 'mesh-control.local'

/** Answers commands on the socket; an old socket in the way is removed, since its owner is gone. */
export async function listenForCommands(path: string, control: ControlListener): Promise<Server> {
  try {
    unlinkSync(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT')
      throw new CommandError(`The socket ${path} is in the way: ${reasonOf(error)}.`)
  }
  const server = createServer((request, response) => {
    const send = (status: number, body: object): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(body))
    }
    if (request.method !== 'POST' || request.headers.host !== HOST) return send(403, { message: 'forbidden' })
    readAll(request).then(
      (body) => send(...answer(control, body)),
      () => request.destroy(),
    )
  })
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, resolve)
    })
  } finally {
    process.umask(before)
  }
  chmodSync(path, 0o600)
  return server
}

/** Has the running server do a command. */
export async function sendCommand<C extends AdminCommand>(path: string, command: C): Promise<AdminResult<C>> {
  const { status, body } = await exchange(path, JSON.stringify(command))
  const value = parseJson(body) as { result: AdminResult<C>; message?: string } | undefined
  if (status === 200 && value) return value.result
  throw new CommandError(value?.message ?? 'The server gave an answer that cannot be read.')
}

function answer(control: ControlListener, body: Uint8Array): [status: number, body: object] {
  const command = readAdminCommand(parseJson(body))
  if (!command)
    return [400, { message: 'The server does not know this command: are both programs of one version?' }]
  try {
    return [200, { result: control.admin(command) }]
  } catch (error) {
    if (error instanceof ControlError) return [400, { code: error.code, message: error.message }]
    return [500, { message: `The server failed: ${reasonOf(error)}.` }]
  }
}

function exchange(path: string, command: string): Promise<{ status: number; body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest({ socketPath: path, method: 'POST', path: '/admin', headers: { Host: HOST } })
    const fail = (error: Error): void => reject(explain(path, error))
    call.on('error', fail)
    call.on('response', (response) => {
      readAll(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), fail)
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

async function readAll(message: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of message as AsyncIterable<Uint8Array>) {
    length += chunk.length
    // Answers come from our own server and may be long; commands are short.
    if (message.statusCode === null && length > MAX_COMMAND) throw new Error('the command is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
