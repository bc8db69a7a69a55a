// Pages for the one who runs the relay, answered to the machine itself and to nobody else: not to an address that merely
// looks near, and never when a proxy stands between, because then every stranger comes from loopback
// (data-plane §2.12, threat 6).
import { isIPv4 } from 'node:net'
import type { RelayStats } from '../stats.ts'
import { pathOf } from './http-answers.ts'
import { formatMetrics, METRICS_TYPE } from './metrics.ts'
import type { PageAnswer, PageRequest } from './page.ts'

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
export function isLocal({ headers, source }: Pick<PageRequest, 'headers' | 'source'>): boolean {
  if (PROXY_HEADERS.some((name) => headers[name] !== undefined)) return false
  const address = source.replace(/^::ffff:/, '')
  return address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}

/** Whether a path is one of `/debug/…` and `/metrics`. */
export function isDebugPath(path: string): boolean {
  return path === '/metrics' || path === '/debug' || path.startsWith('/debug/')
}

/** Answers what {@link isDebugPath} is true of. */
export function debugPage(request: PageRequest, stats: RelayStats): PageAnswer {
  if (!isLocal(request)) return answer(403, TEXT, 'Only for the machine itself\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, TEXT, '')
  return localPage(pathOf(request), stats)
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'

function localPage(path: string, stats: RelayStats): PageAnswer {
  switch (path) {
    case '/metrics':
    case '/debug/varz':
      return answer(200, METRICS_TYPE, formatMetrics(stats))
    case '/debug':
    case '/debug/':
      return answer(200, 'text/html; charset=utf-8', PAGE)
    case '/debug/vars':
      return answer(200, JSON_TYPE, `${JSON.stringify({ ...stats, memory: process.memoryUsage() })}\n`)
    case '/debug/traffic':
      return answer(200, JSON_TYPE, `${JSON.stringify(trafficOf(stats))}\n`)
    case '/debug/check':
      return checkPage(stats)
    default:
      return answer(404, TEXT, 'Not found\n')
  }
}

function trafficOf(stats: RelayStats): object {
  const { packetsReceived, packetsSent, bytesReceived, bytesSent, dropped } = stats
  return { packetsReceived, packetsSent, bytesReceived, bytesSent, dropped }
}

// Every key that is here has a connection, and those with several have at least two.
function checkPage(stats: RelayStats): PageAnswer {
  const agree = stats.clients + stats.duplicateClients <= stats.connections
  return answer(agree ? 200 : 500, TEXT, agree ? 'ok\n' : 'clients and connections do not agree\n')
}

function answer(status: number, type: string, body: string): PageAnswer {
  const headers = {
    'Content-Type': type,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(status === 405 ? { Allow: 'GET, HEAD', Connection: 'close' } : {}),
  }
  return { status, headers, body }
}
