// The daemon's local API: HTTP over a unix socket, with the paths and JSON of its family, so that tools written
// for them work. Browsers are kept out: a page can reach a loopback service, but cannot leave out Origin, Referer
// and Sec-Fetch-*, nor name our host.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type ControlQuestion, MAX_PING_SIZE, type PathReport, type PingType, NetError } from '@mesh/net'
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import type { Backend, Notify } from './backend.ts'
import { whyNotRunning } from './not-running.ts'
import { describePrefs, whyNotOffered } from './prefs.ts'
import { LOCAL_API_HOST } from './socket-path.ts'
import { VERSION } from './version.ts'

/** The longest body read, in bytes; a longer one is refused with 413. */
const MAX_BODY = 64 * 1024

/** How many bytes of news may wait for a watcher that does not read; then it is hung up on. */
const MAX_NEWS = 1 << 20

/** How long a ping through the tunnel waits, in milliseconds; `timeout-ms` may shorten it. */
const MAX_PING_WAIT = 10_000

/** Bits of the bus's mask (data-plane.md section 8.13): what a watcher wants to begin with. */
const INITIAL_STATE = 2
const INITIAL_PREFS = 4

const PREFIX = '/localapi/v0/'
const PING_TYPES: readonly string[] = ['disco', 'TSMP', 'ICMP', 'peerapi']

type DeviceUpdate = Extract<ControlQuestion, { about: 'attributes' }>['update']
type Handler = (context: Context) => Promise<void> | void

interface Context {
  readonly backend: Backend
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
}

const ROUTES: Readonly<Record<string, Readonly<Record<string, Handler>>>> = {
  status: { GET: getStatus },
  prefs: { GET: getPrefs, PATCH: patchPrefs },
  start: { POST: postStart },
  'login-interactive': { POST: postLogin },
  logout: { POST: postLogout },
  ping: { POST: postPing },
  whois: { GET: getWhois },
  'id-token': { GET: getIdToken },
  'alpha-set-device-attrs': { PATCH: patchAttributes },
  netcheck: { GET: getNetcheck },
  explain: { GET: getExplanation },
  'debug-peer-endpoint-changes': { GET: getEndpointChanges },
  'check-prefs': { POST: postCheckPrefs },
  derpmap: { GET: getDerpMap },
  'profiles/': { GET: getProfiles, PUT: putProfile },
  'profiles/current': { GET: getProfile },
  'serve-config': { GET: getServeConfig },
  'check-ip-forwarding': { GET: getNoWarning },
  'check-udp-gro-forwarding': { GET: getNoWarning },
  'watch-ipn-bus': { GET: watchBus },
}

/** Returns the HTTP server of the local API; the caller makes it listen. */
export function createLocalApi(backend: Backend): Server {
  const server = createServer({ requireHostHeader: false, headersTimeout: 10_000 }, (request, response) => {
    serve(backend, request, response).catch((error: unknown) => {
      if (!response.headersSent)
        sendText(response, 500, error instanceof Error ? error.message : String(error))
      else response.destroy()
    })
  })
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

async function serve(backend: Backend, request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader('Tailscale-Version', VERSION)
  response.setHeader('Tailscale-Cap', String(CAPABILITY_VERSION))
  if (!comesFromTool(request))
    return sendText(response, 403, 'This socket is for local tools, not for web pages.')
  // By hand: what a URL parser makes of `//` is an error, or another host.
  const [path = '', ...search] = (request.url ?? '').split('?')
  const route = path.startsWith(PREFIX) ? path.slice(PREFIX.length) : ''
  const methods = Object.hasOwn(ROUTES, route) ? ROUTES[route] : undefined
  if (!methods) return sendText(response, 404, 'There is nothing of that name.')
  const method = request.method ?? ''
  const handler = Object.hasOwn(methods, method) ? methods[method] : undefined
  if (!handler) return sendText(response, 405, `This takes ${Object.keys(methods).join(' or ')}.`)
  await handler({ backend, request, response, query: new URLSearchParams(search.join('?')) })
}

function comesFromTool(request: IncomingMessage): boolean {
  const { host, origin, referer } = request.headers
  if (origin !== undefined || referer !== undefined) return false
  if (Object.keys(request.headers).some((name) => name.startsWith('sec-fetch-'))) return false
  return host === undefined || host === '' || host === LOCAL_API_HOST
}

function getStatus({ backend, response, query }: Context): void {
  sendJson(response, 200, backend.status(query.get('peers') !== 'false'))
}

function getPrefs({ backend, response }: Context): void {
  sendJson(response, 200, describePrefs(backend.prefs))
}

async function patchPrefs({ backend, request, response }: Context): Promise<void> {
  const body = await readJson(request, response)
  if (body === undefined) return
  const refusal = whyNotOffered(body, true)
  if (refusal) return sendText(response, 400, refusal)
  sendJson(response, 200, describePrefs(await backend.editPrefs(body)))
}

async function postCheckPrefs({ request, response }: Context): Promise<void> {
  const body = await readJson(request, response)
  if (body === undefined) return
  const refusal = whyNotOffered(body, false)
  if (refusal) return sendText(response, 400, refusal)
  sendJson(response, 200, { Error: '' })
}

function getDerpMap({ backend, response }: Context): void {
  sendJson(response, 200, backend.node?.derpMap ?? null)
}

function getProfiles({ backend, response }: Context): void {
  sendJson(response, 200, backend.prefs.ControlURL === '' ? [] : [profileOf(backend)])
}

function getProfile({ backend, response }: Context): void {
  sendJson(response, 200, profileOf(backend))
}

function putProfile({ response }: Context): void {
  sendText(response, 501, 'This daemon has one login at a time: log out, then use "up".')
}

/** There is one login at a time, and it has no name of its own. */
function profileOf(backend: Backend): object {
  const { Self, User, CurrentTailnet } = backend.status()
  const owner = User?.[String(Self?.UserID)] ?? { ID: 0, LoginName: '', DisplayName: '' }
  return {
    ID: '0001',
    Name: owner.LoginName,
    NetworkProfile: {
      MagicDNSName: CurrentTailnet?.MagicDNSSuffix ?? '',
      DomainName: CurrentTailnet?.Name ?? '',
    },
    Key: 'profile-0001',
    UserProfile: owner,
    NodeID: Self?.ID ?? '',
    LocalUserID: '',
    ControlURL: backend.prefs.ControlURL,
  }
}

/** Nothing is served to others here. */
function getServeConfig({ response }: Context): void {
  sendJson(response, 200, {})
}

function getNoWarning({ response }: Context): void {
  sendJson(response, 200, { Warning: '' })
}

async function postStart({ backend, request, response }: Context): Promise<void> {
  const body = await readJson(request, response)
  if (body === undefined) return
  const { AuthKey, UpdatePrefs } = body as { AuthKey?: unknown; UpdatePrefs?: unknown }
  await backend.start({ UpdatePrefs, ...(typeof AuthKey === 'string' ? { AuthKey } : {}) })
  response.writeHead(204).end()
}

async function postLogin({ backend, response }: Context): Promise<void> {
  await backend.login()
  response.writeHead(204).end()
}

async function postLogout({ backend, response }: Context): Promise<void> {
  await backend.logout()
  response.writeHead(204).end()
}

async function postPing({ backend, response, query }: Context): Promise<void> {
  const target = query.get('ip') ?? ''
  const type = query.get('type') || 'disco'
  if (!PING_TYPES.includes(type))
    return sendText(response, 400, `type must be one of ${PING_TYPES.join(', ')}.`)
  const size = Number(query.get('size') || 0)
  const refusal = whyNoSize(size, type)
  if (refusal) return sendText(response, 400, refusal)
  const { node } = backend
  if (!node) return sendNotUp(backend, response)
  try {
    const over = query.get('over') === 'relay' ? 'relay' : 'any'
    const timeoutMs = Number(query.get('timeout-ms')) || MAX_PING_WAIT
    const wait = Math.min(timeoutMs, MAX_PING_WAIT)
    const options = { type: type as PingType, over, size, timeoutMs: wait } as const
    sendJson(response, 200, await node.ping(target, options))
  } catch (error) {
    if (!(error instanceof NetError)) throw error
    sendText(response, error.code === 'ERR_NO_PEER' ? 404 : 500, error.message)
  }
}

/** The sizes are those of the family: only a disco ping can be larger than it must. */
function whyNoSize(size: number, type: string): string | undefined {
  if (!Number.isInteger(size) || size < 0) return "The 'size' parameter must be a whole number."
  if (size > 0 && type !== 'disco') return "The 'size' parameter is only for pings of type disco."
  return size > MAX_PING_SIZE ? `The 'size' parameter is at most ${MAX_PING_SIZE}.` : undefined
}

async function getIdToken(context: Context): Promise<void> {
  const audience = (context.query.get('aud') ?? '').trim()
  if (audience === '')
    return sendText(context.response, 400, "The 'aud' parameter says for whom the token is.")
  await answerByControl(context, { about: 'id-token', audience })
}

async function patchAttributes(context: Context): Promise<void> {
  const update = await readJson(context.request, context.response)
  // Control looks at names and values, and says what is wrong with them.
  if (update) await answerByControl(context, { about: 'attributes', update: update as DeviceUpdate })
}

/** Asks control in this machine's name, and passes its answer on. */
async function answerByControl({ backend, response }: Context, question: ControlQuestion): Promise<void> {
  const { node } = backend
  if (!node) return sendNotUp(backend, response)
  try {
    sendJson(response, 200, await node.askControl(question))
  } catch (error) {
    if (!(error instanceof NetError)) throw error
    sendText(response, error.code === 'ERR_REFUSED' ? 400 : 502, error.message)
  }
}

function getWhois({ backend, response, query }: Context): void {
  const asked = (query.get('addr') ?? '').replace(/^\[(.*)\](?::\d+)?$/, '$1').replace(/^([\d.]+):\d+$/, '$1')
  if (!backend.node) return sendNotUp(backend, response, 404)
  const found = backend.node.whois(asked)
  if (!found) return sendText(response, 404, 'No node has that address.')
  const { node, user } = found
  sendJson(response, 200, { Node: node, UserProfile: user, CapMap: node.CapMap ?? null })
}

async function getNetcheck({ backend, response }: Context): Promise<void> {
  const { node } = backend
  if (!node) return sendNotUp(backend, response)
  sendJson(response, 200, await node.netcheck())
}

function getExplanation(context: Context): void {
  const report = explanationFor(context)
  if (report) sendJson(context.response, 200, report)
}

/** What the family shows of a peer's path finding: our ledger in its words. */
function getEndpointChanges(context: Context): void {
  const now = Date.now()
  const changes = explanationFor(context)?.Seen.map(({ Event, Place, SecondsAgo }) => ({
    When: new Date(now - SecondsAgo * 1000).toISOString(),
    What: Event,
    To: Place,
  }))
  if (changes) sendJson(context.response, 200, changes)
}

/** The verdict on the path to the peer that is asked for; answers by itself when there is none. */
function explanationFor({ backend, response, query }: Context): PathReport | undefined {
  const { node } = backend
  try {
    if (node) return node.explain(query.get('ip') ?? '')
    sendNotUp(backend, response)
  } catch (error) {
    if (!(error instanceof NetError)) throw error
    sendText(response, 404, error.message)
  }
  return undefined
}

/** Writes one JSON object a line for as long as the listener stays. */
function watchBus({ backend, response, query }: Context): void {
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.flushHeaders()
  const mask = Number(query.get('mask') ?? INITIAL_STATE | INITIAL_PREFS)
  const tell = (notify: Notify): void => {
    response.write(`${JSON.stringify(notify)}\n`)
    if (response.writableLength > MAX_NEWS) response.destroy()
  }
  const end = backend.subscribe(tell, {
    state: (mask & INITIAL_STATE) !== 0,
    prefs: (mask & INITIAL_PREFS) !== 0,
  })
  response.on('close', end)
}

async function readJson(request: IncomingMessage, response: ServerResponse): Promise<object | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > MAX_BODY) {
      sendText(response, 413, `The body is longer than ${MAX_BODY} bytes.`)
      return undefined
    }
    parts.push(part)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8') || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Answered below, like every body that is not an object.
  }
  sendText(response, 400, 'The body must be a JSON object.')
  return undefined
}

function sendNotUp(backend: Backend, response: ServerResponse, status = 409): void {
  sendText(response, status, whyNotRunning(backend.status(false)) ?? 'The node is about to start.')
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(`${JSON.stringify(value)}\n`)
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(`${text}\n`)
}
