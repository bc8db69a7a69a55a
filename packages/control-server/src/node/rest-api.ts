// One request of a program written for Headscale's API: found among the routes, its command read like any other, its
// failures said as RFC 9457 has it.

import { parseJson } from '@mesh/wire/control'
import type { ControlError, ControlErrorCode } from '../errors.ts'
import type { AdminResult } from './admin-answers.ts'
import type { AdminCommand } from './admin-command.ts'
import { readAdminCommand } from './admin-command.ts'
import { REST_ROUTES } from './rest-routes.ts'
import type { RestRoute } from './rest-routes.ts'
import { requestTarget } from './request-target.ts'

/** Below what all of its paths are. */
export const REST_PREFIX = '/api/v1'

/** What a request came to: the status and body of its response. */
export interface RestReply {
  readonly status: number
  readonly body: object
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** What is not the fault of the request's form. */
const STATUSES: Partial<Readonly<Record<ControlErrorCode, number>>> = {
  ERR_CONTROL_USER_UNKNOWN: 404,
  ERR_CONTROL_KEY_UNKNOWN: 404,
  ERR_CONTROL_NODE_UNKNOWN: 404,
  ERR_CONTROL_REGISTRATION_UNKNOWN: 404,
  ERR_CONTROL_USER_EXISTS: 409,
  ERR_CONTROL_CONFLICT: 409,
  ERR_CONTROL_STORE: 503,
  ERR_CONTROL_ADDRESSES_EXHAUSTED: 503,
}

/** Returns a failure as such a program reads it; `code` is ours. */
export function problem(status: number, detail: string, code?: string): RestReply {
  const title = TITLES[status] ?? 'Error'
  return { status, body: { title, status, detail, ...(code === undefined ? {} : { code }) } }
}

/** Returns what a refused command comes to. */
export function refusalOf({ code, message }: ControlError): RestReply {
  return problem(STATUSES[code] ?? 400, message, code)
}

/** Does what a request asks for. Rejects with `ControlError`, or with whatever `admin` does. */
export async function serveRest(
  admin: (command: AdminCommand) => Promise<AdminResult>,
  method: string,
  target: string,
  body: Uint8Array,
): Promise<RestReply> {
  const { path, query } = requestTarget(target)
  const here = COMPILED.flatMap(([pattern, route]) => {
    const found = pattern.exec(path)
    return found ? [[found.groups ?? {}, route] as const] : []
  })
  if (here.length === 0) return problem(404, 'There is nothing under this path.')
  const [groups, route] = here.find(([, each]) => each.method === method) ?? []
  if (!route) return problem(405, `This path takes ${here.map(([, each]) => each.method).join(', ')}.`)
  const names = decoded(groups ?? {})
  const fields = body.length === 0 ? {} : parseJson(body)
  if (!names || typeof fields !== 'object' || fields === null)
    return problem(400, 'The request cannot be read.')
  const wish = { path: names, query, body: fieldsOf(fields) }
  const command = readAdminCommand(route.command(wish))
  if (!command) return problem(400, 'A field of the request is missing, or has no value that it can have.')
  return { status: 200, body: route.answer(await admin(command)) }
}

const COMPILED: readonly (readonly [RegExp, RestRoute])[] = REST_ROUTES.map((route) => [
  new RegExp(`^${REST_PREFIX}${route.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}/?$`),
  route,
])

/** Older programs write `acl_tags` for `aclTags`. */
function fieldsOf(body: object): ReadonlyMap<string, unknown> {
  const camel = (name: string): string =>
    name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return new Map(Object.entries(body).map(([name, value]) => [camel(name), value as unknown]))
}

function decoded(groups: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, text]) => [name, decodeURIComponent(text)]))
  } catch {
    return undefined
  }
}
