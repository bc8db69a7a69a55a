// What people and machines see who come by browser: the page at the root, and the plain HTTP port beside HTTPS.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerNoContent, type PageAnswer, type PageRequest } from '@mesh/derp-server/node'

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

/** Returns the page at the root as `home` says (a page, nothing, or another address), and for every other path 404. */
export function homePage(home: string, { url }: PageRequest): PageAnswer {
  if (url !== '/')
    return {
      status: 404,
      headers: { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' },
      body: 'Not found\n',
    }
  if (home !== '' && home !== 'blank') return { status: 302, headers: { ...HEADERS, Location: home } }
  const headers = { ...HEADERS, 'Content-Type': 'text/html; charset=utf-8' }
  return { status: 200, headers, body: home === 'blank' ? '' : PAGE }
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
