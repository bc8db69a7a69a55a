// Fetches from a gateway what the machine asks for, and nothing else: no redirect, no more bytes and no more time
// than said, no connection kept.
import { request } from 'node:http'
import { formatAddress } from '@mesh/wire/ip'
import type { GatewayRequest, GatewayResponse } from '../portmap/http-request.ts'

/** Fetches; `undefined` for every kind of failure. Never rejects. */
export function fetchGateway(wanted: GatewayRequest): Promise<GatewayResponse | undefined> {
  return new Promise((resolve) => {
    const fetching = request(
      {
        host: formatAddress(wanted.to.address),
        port: wanted.to.port,
        path: wanted.path,
        method: wanted.method,
        headers: { ...wanted.headers, 'Content-Length': Buffer.byteLength(wanted.body), Connection: 'close' },
        agent: false,
        signal: AbortSignal.timeout(wanted.timeout),
      },
      (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length <= wanted.maxLength) return void chunks.push(chunk)
          resolve(undefined)
          fetching.destroy()
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
        response.on('error', () => resolve(undefined))
      },
    )
    fetching.on('error', () => resolve(undefined))
    fetching.on('close', () => resolve(undefined))
    fetching.end(wanted.body)
  })
}
