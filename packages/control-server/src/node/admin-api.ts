// The administrator's API under the server's own address, with an API key: one JSON command a request for our own command
// line, and the paths of Headscale's API for programs written for that. Who has no key is told so before anything of the
// request is read.

import { reasonOf } from '@mesh/sansio/node'
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
import { limitBody, piecesOf } from './body-time.ts'
import { problem, refusalOf, REST_PREFIX, serveRest } from './rest-api.ts'
import type { RestReply } from './rest-api.ts'
import { BodyBudget, BodyRoom } from './request-body.ts'

/** Where commands go to. */
export const ADMIN_PATH = `${REST_PREFIX}/command`

/** The longest body, bytes: a policy is one. */
const MAX_BODY = 4 << 20
/** The longest that restores a backup, bytes: it holds a whole network. */
const MAX_RESTORE = 256 << 20
/** How such a command begins. */
const RESTORE = Buffer.from('{"verb":"restore",')
/** All bodies under way in this process: two restores at once find no room. */
const BODIES = BodyBudget.together()

/** Does what administrators ask. */
export interface AdminSeat {
  /** Does a command. Rejects with {@link ControlError}. */
  admin(command: AdminCommand): Promise<AdminResult>
  /** Answers a question. Rejects with {@link ControlError}. */
  ask(question: AdminQuestion): Promise<AdminAnswer>
}

const TOO_LONG = problem(413, 'The body of the request is too long.')
const NO_KEY = problem(401, 'This API key is unknown, expired or deleted.')

/** Does the command of one request and answers it. Whoever calls this has seen to it that the sender may. */
export async function serveAdmin(
  seat: AdminSeat,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const room = new BodyRoom(BODIES, MAX_RESTORE)
  try {
    const body = await readWhole(request, room)
    if (body === 'broken') return void request.destroy()
    if (body !== 'too-long') return send(response, await answer(seat, request, body).catch(failure))
    response.on('finish', () => request.destroy())
    send(response, TOO_LONG)
  } finally {
    room.abandon()
  }
}

async function answer(seat: AdminSeat, request: IncomingMessage, body: Uint8Array): Promise<RestReply> {
  const { method = '', url = '' } = request
  if (requestTarget(url).path !== ADMIN_PATH) {
    const admin = (command: AdminCommand): Promise<AdminResult> => seat.admin(command)
    return serveRest(admin, method, url, body)
  }
  if (method !== 'POST') return problem(405, 'Commands are sent by POST.')
  const value = parseJson(body)
  const command = readAdminCommand(value)
  if (command) return { status: 200, body: { result: await seat.admin(command) } }
  const question = readAdminQuestion(value)
  if (question) return { status: 200, body: { result: await seat.ask(question) } }
  return problem(400, 'The server does not know this command: are both programs of one version?')
}

function failure(error: unknown): RestReply {
  if (error instanceof Unauthorized) return NO_KEY
  if (error instanceof ControlError) return refusalOf(error)
  return problem(500, `The server failed: ${reasonOf(error)}.`)
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
    if (!requestTarget(request.url ?? '').path.startsWith(`${REST_PREFIX}/`)) return false
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
  const key = coordinator.apiKeys.find(text)
  if (!key) {
    limitBody(request)
    request.on('data', () => request.destroy())
    return send(response, NO_KEY)
  }
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

/** Returns a body, if it may be so long. One that says beforehand that it is longer than any is not read at all. */
async function readWhole(
  request: IncomingMessage,
  room: BodyRoom,
): Promise<Uint8Array | 'too-long' | 'broken'> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_RESTORE) return 'too-long'
  const isCommand = requestTarget(request.url ?? '').path === ADMIN_PATH
  try {
    for await (const chunk of piecesOf(request)) {
      if (!room.add(chunk)) return 'too-long'
      const { bytes } = room
      if (bytes.length > MAX_BODY && !(isCommand && isRestore(bytes))) return 'too-long'
    }
  } catch {
    return 'broken'
  }
  return room.bytes
}

function isRestore(command: Uint8Array): boolean {
  return RESTORE.equals(command.subarray(0, RESTORE.length))
}

function send(response: ServerResponse, { status, body }: RestReply): void {
  const type = status === 200 ? 'application/json' : 'application/problem+json'
  const headers = { 'Content-Type': type, 'Cache-Control': 'no-store' }
  response.writeHead(status, status === 401 ? { ...headers, 'WWW-Authenticate': 'Bearer' } : headers)
  response.end(JSON.stringify(body))
}
