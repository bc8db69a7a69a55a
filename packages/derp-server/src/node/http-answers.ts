// The small HTTP answers of a relay: latency probes, the captive-portal check and what crawlers get
// (data-plane §2.12).
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a challenge may look like to be echoed; anything else could smuggle a header. */
const CHALLENGE = /^[A-Za-z0-9._:-]{1,64}$/

/** Returns the path of a request's target without the query. */
export function pathOf(request: { readonly url?: string | undefined }): string {
  const target = request.url ?? '/'
  const end = target.search(/[?#]/)
  return end === -1 ? target : target.slice(0, end)
}

/** Answers the relay's own paths; returns whether the request was for one of them. */
export function answerRequest(request: IncomingMessage, response: ServerResponse): boolean {
  switch (pathOf(request)) {
    case '/derp':
      response.writeHead(426, { 'Content-Type': 'text/plain; charset=utf-8', Upgrade: 'DERP' })
      response.end('DERP needs a connection upgrade\n')
      return true
    case '/derp/probe':
    case '/derp/latency-check':
      answerProbe(request, response)
      return true
    case '/generate_204':
      answerNoContent(request, response)
      return true
    case '/robots.txt':
      response.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end('User-agent: *\nDisallow: /\n')
      return true
    default:
      return false
  }
}

function answerProbe(request: IncomingMessage, response: ServerResponse): void {
  const known = request.method === 'GET' || request.method === 'HEAD'
  // Closing spares us the rest of whatever a stranger wants to upload.
  const headers = known ? { 'Access-Control-Allow-Origin': '*' } : { Connection: 'close' }
  response.writeHead(known ? 200 : 405, headers)
  response.end()
}

/** Answers `/generate_204`, by which clients find out whether a captive portal is in the way. */
export function answerNoContent(request: IncomingMessage, response: ServerResponse): void {
  const challenge = request.headers['x-tailscale-challenge']
  if (typeof challenge === 'string' && CHALLENGE.test(challenge)) {
    response.setHeader('X-Tailscale-Response', `response ${challenge}`)
  }
  response.setHeader('Cache-Control', 'no-cache, no-store, must-revalidate, no-transform, max-age=0')
  response.writeHead(204)
  response.end()
}
