// Pages for the one who runs the relay, answered to the machine itself and to nobody else: not to an address that merely
// looks near, and never when a proxy stands between, because then every stranger comes from loopback
// (data-plane §2.12, threat 6).
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIPv4 } from 'node:net'
import type { RelayStats } from '../stats.ts'
import { formatMetrics, METRICS_TYPE } from './metrics.ts'

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>DERP relay</title>
<h1>DERP relay</h1>
<ul>
<li><a href="/debug/vars">vars</a>: counters, as JSON
<li><a href="/debug/varz">varz</a>: counters, for Prometheus
<li><a href="/debug/traffic">traffic</a>: packets and bytes, as JSON
<li><a href="/debug/check">check</a>: whether the counters agree
</ul>
`

/** Headers that proxies add; a request that has one did not begin on this machine. */
const PROXY_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip'] as const

/** Tells whether a request comes from this very machine. */
export function isLocal(request: IncomingMessage): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}

/**
 * Answers `/debug/…` and `/metrics`; returns whether the path was one of them.
 *
 * @param path - The request's path without the query.
 */
export function answerDebug(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  stats: () => RelayStats,
): boolean {
  if (path !== '/metrics' && path !== '/debug' && !path.startsWith('/debug/')) return false
  if (!isLocal(request)) answer(response, 403, TEXT, 'Only for the machine itself\n')
  else if (request.method !== 'GET' && request.method !== 'HEAD') answer(response, 405, TEXT, '')
  else answerLocal(path, response, stats())
  return true
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'

function answerLocal(path: string, response: ServerResponse, stats: RelayStats): void {
  switch (path) {
    case '/metrics':
    case '/debug/varz':
      return answer(response, 200, METRICS_TYPE, formatMetrics(stats))
    case '/debug':
    case '/debug/':
      return answer(response, 200, 'text/html; charset=utf-8', PAGE)
    case '/debug/vars':
      return answer(
        response,
        200,
        JSON_TYPE,
        `${JSON.stringify({ ...stats, memory: process.memoryUsage() })}\n`,
      )
    case '/debug/traffic':
      return answer(response, 200, JSON_TYPE, `${JSON.stringify(trafficOf(stats))}\n`)
    case '/debug/check':
      return answerCheck(response, stats)
    default:
      return answer(response, 404, TEXT, 'Not found\n')
  }
}

function trafficOf(stats: RelayStats): object {
  const { packetsReceived, packetsSent, bytesReceived, bytesSent, dropped } = stats
  return { packetsReceived, packetsSent, bytesReceived, bytesSent, dropped }
}

// Every key that is here has a connection, and those with several have at least two.
function answerCheck(response: ServerResponse, stats: RelayStats): void {
  const agree = stats.clients + stats.duplicateClients <= stats.connections
  answer(response, agree ? 200 : 500, TEXT, agree ? 'ok\n' : 'clients and connections do not agree\n')
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 405 ? { Allow: 'GET, HEAD', Connection: 'close' } : {}),
  })
  response.end(body)
}
