// Pages for those who watch the server: on a port of their own, so that no proxy forwards them, and on loopback only.

import type { Server } from 'node:http'
import { type ControlListener, formatStats, METRICS_TYPE } from '@mesh/control-server/node'
import { createPageServer, isLoopback, type PageAnswer, type PageRequest } from '@mesh/derp-server/node'
import { reasonOf } from '@mesh/sansio/node'
import { CommandError } from './command-error.ts'
import type { ListenAddress } from './flag-values.ts'

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>mesh-control</title>
<h1>mesh-control</h1>
<ul>
<li><a href="/metrics">metrics</a>: for Prometheus
<li><a href="/debug/vars">vars</a>: the same and more, as JSON
<li><a href="/health">health</a>
</ul>
`

/** Throws {@link CommandError} for an address that others than this machine reach. */
export function checkMetricsAddress({ host }: ListenAddress): void {
  if (isLoopback(host)) return
  throw new CommandError(
    `The pages of --metrics-listen are for this machine alone: write 127.0.0.1:PORT, not ${host}.`,
  )
}

/** Serves the pages. */
export async function listenForMetrics(address: ListenAddress, control: ControlListener): Promise<Server> {
  checkMetricsAddress(address)
  const server = createPageServer((request) => page(request, control))
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(address, resolve)
    })
  } catch (cause) {
    const where = `${address.host}:${address.port}`
    throw new CommandError(`${where} cannot be listened on: ${reasonOf(cause)}.`, { cause })
  }
  return server
}

function page({ method, url }: PageRequest, control: ControlListener): PageAnswer {
  if (method !== 'GET' && method !== 'HEAD') return answer(405, 'text/plain', '')
  switch (url.split('?')[0]) {
    case '/':
    case '/debug':
    case '/debug/':
      return answer(200, 'text/html; charset=utf-8', PAGE)
    case '/metrics':
      return answer(200, METRICS_TYPE, formatStats(control.stats()))
    case '/debug/vars':
      return answer(
        200,
        'application/json',
        `${JSON.stringify({ ...control.stats(), memory: process.memoryUsage() })}\n`,
      )
    case '/health':
      return answer(200, 'application/json', '{"status":"pass"}\n')
    default:
      return answer(404, 'text/plain', 'Not found\n')
  }
}

function answer(status: number, type: string, body: string): PageAnswer {
  return { status, headers: { 'Content-Type': type, 'Cache-Control': 'no-store' }, body }
}
