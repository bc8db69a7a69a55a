// What the server answers outside Noise: its key, its health, and the page a login waits on.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { formatMachineKey, parseNodeKey } from '@mesh/keys'
import { NOISE_CAPABILITY_VERSION, parseJson, ZERO_MACHINE_KEY_TEXT } from '@mesh/wire/control'
import type { Coordinator } from '../coordinator.ts'
import { requestTarget } from './request-target.ts'

/** What the routes answer from. */
export interface OuterRoutesOptions {
  readonly coordinator: Coordinator
  /** Takes the id of a ping that was answered; returns whether somebody waits for it. */
  readonly onPong: (id: string) => boolean
  /** What is there for anybody to read, by path. */
  readonly documents: ReadonlyMap<string, object>
  /** The server's public key, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** The longest question of a relay, bytes. */
const MAX_QUESTION = 4096
/** Programs written for Headscale ask. To a word that is no version of that they speak the newest form of its API. */
const VERSION = { version: 'mesh' }
const PROXY_HINT =
  'This address wants an Upgrade header. A reverse proxy in front of the server may have removed it: ' +
  'it must forward "Upgrade" and "Connection" of POST requests.'

/** Returns the request handler of the outer HTTP server. */
export function outerRoutes(
  options: OuterRoutesOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const keys = { legacyPublicKey: ZERO_MACHINE_KEY_TEXT, publicKey: formatMachineKey(options.publicKey) }
  return (request, response) => {
    const { path, query } = requestTarget(request.url ?? '')
    if (path === '/verify' && request.method === 'POST')
      return void verify(request, response, options.coordinator)
    // No other request out here has a body; whoever sends one anyway is not listened to.
    request.on('data', () => request.destroy())
    if (path === '/machine/ping-response') return takePong(request, response, query.get('id') ?? '', options)
    if (path === '/ts2021') return sendText(response, 400, PROXY_HINT)
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return sendText(response, 405, 'method not allowed')
    if (path === '/key') return sendKey(response, query.get('v'), keys)
    const document = options.documents.get(path)
    if (document) return sendJson(response, document)
    if (path === '/health') return sendJson(response, { status: 'pass' })
    if (path === '/version') return sendJson(response, VERSION)
    const login = /^\/register\/([0-9a-f]{32})$/.exec(path)?.[1]
    if (login !== undefined) return sendLoginPage(response, login, options.coordinator)
    const check = /^\/ssh\/([0-9a-f]{32})$/.exec(path)?.[1]
    if (check !== undefined) return sendSshPage(response, check, options.coordinator)
    sendText(response, 404, 'not found')
  }
}

function sendKey(response: ServerResponse, version: string | null, keys: object): void {
  if (version !== null && !/^\d{1,6}$/.test(version))
    return sendText(response, 400, 'v is not a capability version')
  if (version !== null && Number(version) < NOISE_CAPABILITY_VERSION) {
    return sendText(response, 400, 'this client is too old')
  }
  sendJson(response, keys)
}

function sendLoginPage(response: ServerResponse, id: string, coordinator: Coordinator): void {
  const pending = coordinator.logins.waiting(id)
  if (!pending)
    return sendPage(response, 404, '<h1>No login waits here</h1><p>It was approved, or it expired.</p>')
  const machine = escapeHtml(pending.request.Hostinfo?.Hostname ?? 'a machine')
  sendPage(
    response,
    200,
    `<h1>Let ${machine} in</h1><p>On the control server, run this with the name of the user who will own it:</p>` +
      `<pre>mesh-control nodes register --key ${id} --user USER</pre>`,
  )
}

function sendSshPage(response: ServerResponse, key: string, coordinator: Coordinator): void {
  const check = coordinator.sshChecks.waiting(key)
  if (!check)
    return sendPage(response, 404, '<h1>No SSH login waits here</h1><p>It was decided, or it expired.</p>')
  const [from, to] = coordinator.sshChecks.namesOf(check)
  sendPage(
    response,
    200,
    `<h1>Let ${escapeHtml(from)} log in at ${escapeHtml(to)} as ${escapeHtml(check.localUser)}</h1>` +
      `<p>On the control server, run this:</p><pre>mesh-control ssh approve ${key}</pre>`,
  )
}

/** A node shows that it is there (control §3.9). */
function takePong(
  request: IncomingMessage,
  response: ServerResponse,
  id: string,
  { onPong }: OuterRoutesOptions,
): void {
  if (request.method !== 'HEAD') return sendText(response, 405, 'method not allowed')
  response.writeHead(onPong(id) ? 200 : 404)
  response.end()
}

/** A relay asks whether to serve a client (derper's `-verify-client-url`): only nodes of the network are. */
async function verify(
  request: IncomingMessage,
  response: ServerResponse,
  coordinator: Coordinator,
): Promise<void> {
  const question = parseJson(await readShort(request))
  const NodePublic = isRecord(question) ? question['NodePublic'] : undefined
  if (typeof NodePublic !== 'string' || !parseNodeKey(NodePublic))
    return sendText(response, 400, 'NodePublic is no node key')
  sendJson(response, { Allow: coordinator.nodes.admits(NodePublic) })
}

/** Returns a body, or nothing when it is longer than such a question can be, or breaks off. */
async function readShort(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      length += chunk.length
      if (length > MAX_QUESTION) return new Uint8Array(0)
      chunks.push(chunk)
    }
  } catch {
    return new Uint8Array(0)
  }
  return Buffer.concat(chunks)
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function sendPage(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  })
  const style = '<style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>'
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>Mesh</title>${style}${body}</html>\n`,
  )
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(value))
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(`${text}\n`)
}

function escapeHtml(text: string): string {
  return text.slice(0, 100).replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`)
}
