// The paths under /api/v1 that programs written for Headscale know, each as the command it stands for and how its answer
// is wrapped. What a request says is not looked at here: whoever reads the command does that.

import type { AdminResult } from './admin-answers.ts'
import type { AdminCommand } from './admin-command.ts'

/** What a request says. */
export interface RestWish {
  /** The parts of the path that have a name, decoded. */
  readonly path: Readonly<Record<string, string>>
  /** What follows the `?`. */
  readonly query: URLSearchParams
  /** The fields of the body, whatever they are. */
  readonly body: ReadonlyMap<string, unknown>
}

/** What one path does. */
export interface RestRoute {
  readonly method: string
  /** The path below `/api/v1`, with a name in braces for a part that varies. */
  readonly path: string
  /** Returns a command that is yet to be checked. */
  readonly command: (wish: RestWish) => { readonly verb: AdminCommand['verb'] }
  /** Returns the body of the answer. */
  readonly answer: (result: AdminResult) => object
}

type Verb = AdminCommand['verb']

/** What names a node of a path. */
const node = ({ path }: RestWish): { node: string | undefined } => ({ node: path['node'] })
const nothing = (): object => ({})

/** All paths; a part that is spelled out goes before one that varies. */
export const REST_ROUTES: readonly RestRoute[] = [
  route('GET', '/health', 'health', nothing, (health) => health),

  route('POST', '/user', 'users create', newUser, (user) => ({ user })),
  route('GET', '/user', 'users list', wantedUsers, (users) => ({ users })),
  route(
    'POST',
    '/user/{user}/rename/{name}',
    'users rename',
    ({ path }) => ({ user: path['user'], name: path['name'] }),
    (user) => ({ user }),
  ),
  route('DELETE', '/user/{user}', 'users delete', ({ path }) => ({ user: path['user'] }), nothing),

  route('POST', '/preauthkey', 'preauthkeys create', newPreAuthKey, (preAuthKey) => ({ preAuthKey })),
  route('GET', '/preauthkey', 'preauthkeys list', nothing, (preAuthKeys) => ({ preAuthKeys })),
  route(
    'POST',
    '/preauthkey/expire',
    'preauthkeys expire',
    ({ body }) => ({ which: written(body.get('id')) ?? written(body.get('key')) }),
    nothing,
  ),
  route(
    'DELETE',
    '/preauthkey',
    'preauthkeys delete',
    ({ query }) => ({ which: query.get('id') ?? undefined }),
    nothing,
  ),

  route(
    'POST',
    '/apikey',
    'apikeys create',
    ({ body }) => lifetime(body.get('expiration')),
    ({ key }) => ({ apiKey: key }),
  ),
  route('GET', '/apikey', 'apikeys list', nothing, (apiKeys) => ({ apiKeys })),
  route(
    'POST',
    '/apikey/expire',
    'apikeys expire',
    ({ body }) => ({ which: written(body.get('prefix')) ?? written(body.get('id')) }),
    nothing,
  ),
  route('DELETE', '/apikey/{prefix}', 'apikeys delete', ({ path }) => ({ which: path['prefix'] }), nothing),

  route(
    'GET',
    '/node',
    'nodes list',
    ({ query }) => ({ user: written(query.get('user')) }),
    (nodes) => ({ nodes }),
  ),
  route(
    'POST',
    '/node/register',
    'nodes register',
    ({ query, body }) => ({
      user: query.get('user') ?? body.get('user'),
      key: query.get('key') ?? body.get('key'),
    }),
    asNode,
  ),
  route('POST', '/node/backfillips', 'nodes backfillips', nothing, (done) => done),
  route('GET', '/node/{node}', 'nodes get', node, asNode),
  route('DELETE', '/node/{node}', 'nodes delete', node, nothing),
  route(
    'POST',
    '/node/{node}/expire',
    'nodes expire',
    (wish) => ({ ...node(wish), ...expiry(wish) }),
    asNode,
  ),
  route(
    'POST',
    '/node/{node}/rename/{name}',
    'nodes rename',
    ({ path }) => ({ node: path['node'], name: path['name'] }),
    asNode,
  ),
  route(
    'POST',
    '/node/{node}/tags',
    'nodes tag',
    (wish) => ({ ...node(wish), tags: wish.body.get('tags') ?? [] }),
    asNode,
  ),
  route(
    'POST',
    '/node/{node}/approve_routes',
    'nodes approve-routes',
    (wish) => ({ ...node(wish), routes: wish.body.get('routes') ?? [] }),
    asNode,
  ),

  route('POST', '/auth/register', 'nodes register', (wish) => ({ ...authId(wish), ...owner(wish) }), asNode),
  route('POST', '/auth/approve', 'auth approve', authId, nothing),
  route('POST', '/auth/reject', 'auth reject', authId, nothing),

  route('GET', '/policy', 'policy get', nothing, asPolicy),
  route('PUT', '/policy', 'policy set', policy, asPolicy),
  route('POST', '/policy/check', 'policy check', policy, nothing),
]

function route<V extends Verb>(
  method: string,
  path: string,
  verb: V,
  fields: (wish: RestWish) => object,
  answer: (result: AdminResult<Extract<AdminCommand, { verb: V }>>) => object,
): RestRoute {
  const command = (wish: RestWish): { verb: V } => ({ ...fields(wish), verb })
  return { method, path, command, answer: answer as RestRoute['answer'] }
}

function asNode(found: object): object {
  return { node: found }
}

function asPolicy({ policy: text, updatedAt }: AdminResult<{ verb: 'policy get' }>): object {
  return { policy: text, updatedAt }
}

/** An empty text is what Headscale's clients send for nothing; a number may come as one. */
function written(value: unknown): unknown {
  if (typeof value === 'number') return String(value)
  return value === '' || value === null ? undefined : value
}

function newUser({ body }: RestWish): object {
  return {
    name: body.get('name'),
    displayName: written(body.get('displayName')),
    email: written(body.get('email')),
    pictureUrl: written(body.get('pictureUrl')),
  }
}

/** One of them at most, as Headscale has it. */
function wantedUsers({ query }: RestWish): object {
  for (const name of ['name', 'email', 'id']) {
    const value = query.get(name) ?? ''
    if (value !== '' && !(name === 'id' && value === '0')) return { [name]: value }
  }
  return {}
}

function newPreAuthKey({ body }: RestWish): object {
  const user = written(body.get('user'))
  return {
    user: user === '0' ? undefined : user,
    reusable: body.get('reusable'),
    ephemeral: body.get('ephemeral'),
    preApproved: body.get('preApproved'),
    tags: written(body.get('aclTags')),
    ...lifetime(body.get('expiration')),
  }
}

/** A moment that is over, or that is none, is no length of time, and refused as such. */
function lifetime(expiration: unknown): object {
  const at = moment(expiration)
  return at === undefined ? {} : { lifetime: at - Date.now() }
}

function expiry({ body }: RestWish): object {
  if (body.get('disableExpiry') === true) return { at: 'never' }
  const at = moment(body.get('expiry'))
  return at === undefined ? {} : { at }
}

/** Not a number where something else than a time is written. */
function moment(value: unknown): number | undefined {
  const text = written(value)
  if (text === undefined) return undefined
  return typeof text === 'string' ? Date.parse(text) : Number.NaN
}

function authId({ body }: RestWish): object {
  return { key: body.get('authId') }
}

function owner({ body }: RestWish): object {
  return { user: body.get('user') }
}

function policy({ body }: RestWish): object {
  return { policy: body.get('policy') }
}
