// An authority that tests make give whatever they want: it believes everybody, and looks at no signature.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What it does otherwise than an authority should. */
export interface Ways {
  /** What it gives as a certificate. */
  readonly certificate?: string
  /** How it wants names to be proven; absent, it believes everybody. */
  readonly challenges?: readonly object[]
  /** Takes requests over; returns whether it did. */
  readonly instead?: (path: string, response: ServerResponse) => boolean
}

/** An authority on loopback. */
export interface HostileAuthority extends AsyncDisposable {
  readonly directoryUrl: string
  /** The paths that were asked for. */
  readonly asked: readonly string[]
}

/** Starts one. */
export async function startHostileAuthority(ways: Ways): Promise<HostileAuthority> {
  const asked: string[] = []
  const server = createServer((request: IncomingMessage, response) => {
    request.resume()
    const path = request.url ?? '/'
    asked.push(path)
    if (ways.instead?.(path, response) === true) return
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    response.setHeader('Replay-Nonce', 'nonce')
    response.setHeader('Location', `${url}/here`)
    response.setHeader(
      'Content-Type',
      path === '/cert' ? 'application/pem-certificate-chain' : 'application/json',
    )
    response.statusCode = path === '/account' || path === '/order' ? 201 : 200
    response.end(path === '/cert' ? ways.certificate : JSON.stringify(answerAt(path, url, ways)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    directoryUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dir`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function answerAt(path: string, url: string, { challenges }: Ways): object {
  switch (path) {
    case '/dir':
      return { newNonce: `${url}/nonce`, newAccount: `${url}/account`, newOrder: `${url}/order` }
    case '/order':
      return { status: 'pending', authorizations: [`${url}/authz`], finalize: `${url}/finalize` }
    case '/authz':
      return {
        status: challenges === undefined ? 'valid' : 'pending',
        identifier: { type: 'dns', value: 'relay.example' },
        challenges: challenges ?? [],
      }
    case '/finalize':
      return { status: 'valid', certificate: `${url}/cert` }
    default:
      return {}
  }
}
