// What the one who runs a relay may see of it: counters, and whether they agree (data-plane §2.12). For a port of
// its own: see local-pages.ts.
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

/** Answers `/metrics` (for Prometheus) and `/debug/…`, 404 for any other path. Not for strangers: see `createPageServer`. */
export function debugPage(request: PageRequest, stats: RelayStats): PageAnswer {
  if (request.method !== 'GET' && request.method !== 'HEAD') return answer(405, TEXT, '')
  return pageAt(pathOf(request), stats)
}

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'

function pageAt(path: string, stats: RelayStats): PageAnswer {
  switch (path) {
    case '/metrics':
    case '/debug/varz':
      return answer(200, METRICS_TYPE, formatMetrics(stats))
    case '/':
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
