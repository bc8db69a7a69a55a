// The administrator's API under the server's own address: one JSON command a request, with an API key. Who has none is
// told so before anything of the request is read.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseJson } from '@mesh/wire/control'
import type { Coordinator } from '../coordinator.ts'
import { ControlError } from '../errors.ts'
import type { Actor } from '../audit.ts'
import type { AdminResult } from './admin-answers.ts'
import type { AdminCommand } from './admin-command.ts'
import { readAdminCommand } from './admin-command.ts'
import type { AdminAnswer, AdminQuestion } from './admin-question.ts'
import { readAdminQuestion } from './admin-question.ts'
import { requestTarget } from './request-target.ts'
import { reasonOf } from './sql-store.ts'

/** Where commands go to. */
export const ADMIN_PATH = '/api/v1/command'

/** The longest command, bytes: a restored backup is one. Only administrators send any. */
const MAX_COMMAND = 256 << 20

/** Does what administrators ask. */
export interface AdminSeat {
  /** Does a command. Rejects with {@link ControlError}. */
  admin(command: AdminCommand): Promise<AdminResult>
  /** Answers a question. Rejects with {@link ControlError}. */
  ask(question: AdminQuestion): Promise<AdminAnswer>
}

/** What a command came to: the status and body of its response. */
interface Reply {
  readonly status: number
  readonly body: object
}

const NO_KEY: Reply = { status: 401, body: { message: 'This API key is unknown, expired or deleted.' } }

/** Does the command of one request and answers it. Whoever calls this has seen to it that the sender may. */
export async function serveAdmin(
  seat: AdminSeat,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await readWhole(request)
  if (body) send(response, await answer(seat, body))
  else request.destroy()
}

async function answer(seat: AdminSeat, body: Uint8Array): Promise<Reply> {
  const value = parseJson(body)
  const command = readAdminCommand(value)
  const question = readAdminQuestion(value)
  try {
    if (command) return { status: 200, body: { result: await seat.admin(command) } }
    if (question) return { status: 200, body: { result: await seat.ask(question) } }
  } catch (error) {
    if (error instanceof Unauthorized) return NO_KEY
    if (error instanceof ControlError)
      return { status: 400, body: { code: error.code, message: error.message } }
    return { status: 500, body: { message: `The server failed: ${reasonOf(error)}.` } }
  }
  const message = 'The server does not know this command: are both programs of one version?'
  return { status: 400, body: { message } }
}

/** What the API works with. */
export interface AdminApiOptions {
  readonly coordinator: Coordinator
  /** Does a command of somebody in a transaction that begins with `before`; when that throws, nothing is done. */
  readonly admin: (command: AdminCommand, actor: Actor, before: () => void) => Promise<AdminResult>
  /** Answers a question of somebody after a transaction that consists of `before`; when that throws, nothing is asked. */
  readonly ask: (question: AdminQuestion, actor: Actor, before: () => void) => Promise<AdminAnswer>
}

/** Thrown by a command or question whose key ended before its turn came. */
class Unauthorized extends Error {}

/** Returns a handler that answers commands, and returns false for any other request. */
export function adminApi(
  options: AdminApiOptions,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    if (requestTarget(request.url ?? '').path !== ADMIN_PATH) return false
    void serve(request, response, options)
    return true
  }
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  { coordinator, admin, ask }: AdminApiOptions,
): Promise<void> {
  const text = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const refuse = (refusal: Reply): void => {
    request.on('data', () => request.destroy())
    send(response, refusal)
  }
  const key = coordinator.apiKeys.find(text)
  if (!key) return refuse(NO_KEY)
  if (request.method !== 'POST')
    return refuse({ status: 405, body: { message: 'Commands are sent by POST.' } })
  // Once more where what other servers wrote is known: a key that was ended there does nothing here.
  const before = (): void => {
    if (!coordinator.apiKeys.find(text)) throw new Unauthorized()
  }
  const actor: Actor = { kind: 'api-key', name: key.prefix }
  const seat: AdminSeat = {
    admin: (command) => admin(command, actor, before),
    ask: (question) => ask(question, actor, before),
  }
  await serveAdmin(seat, request, response)
}

/** Returns a body, or `undefined` when it is too long or breaks off. */
async function readWhole(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > MAX_COMMAND) return undefined
      chunks.push(chunk)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

function send(response: ServerResponse, { status, body }: Reply): void {
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  response.writeHead(status, status === 401 ? { ...headers, 'WWW-Authenticate': 'Bearer' } : headers)
  response.end(JSON.stringify(body))
}
