// What people and machines see who come by browser: the page at the root, and the plain HTTP port beside HTTPS.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerNoContent } from '@mesh/derp-server/node'

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>DERP relay</title>
<h1>DERP relay</h1>
<p>This server forwards sealed packets between machines of a mesh that cannot reach each other directly. It cannot read them.</p>
`

const HEADERS = {
  'Content-Security-Policy':
    "default-src 'none'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
} as const

/** Answers the root as `home` says (a page, nothing, or another address) and every other path with 404. */
export function answerHome(home: string, request: IncomingMessage, response: ServerResponse): void {
  if (request.url !== '/') {
    response.writeHead(404, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' }).end('Not found\n')
    return
  }
  if (home !== '' && home !== 'blank') {
    response.writeHead(302, { ...HEADERS, Location: home }).end()
    return
  }
  response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/html; charset=utf-8' })
  response.end(home === 'blank' ? '' : PAGE)
}

/** Answers on the plain port beside HTTPS: the captive-portal check, and the way to HTTPS for everything else. */
export function answerPlain(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '/'
  if (path === '/generate_204') return answerNoContent(request, response)
  const host = /^[A-Za-z0-9.:[\]-]+$/.exec(request.headers.host ?? '')?.[0].replace(/:\d+$/, '')
  const mayMove =
    (request.method === 'GET' || request.method === 'HEAD') && host !== undefined && path.startsWith('/')
  if (mayMove) response.writeHead(302, { Location: `https://${host}${path}` }).end()
  else response.writeHead(400).end()
}
