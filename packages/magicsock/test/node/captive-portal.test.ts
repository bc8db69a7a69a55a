// Looking for a captive portal, on loopback: a relay that answers the challenge, and those who do not know it.
import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { detectCaptivePortal, type PortalProbe } from '../../src/node/index.ts'

async function serve(answer: RequestListener): Promise<PortalProbe & AsyncDisposable> {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: parseAddress('127.0.0.1')!,
    hostName: 'relay.example',
    port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const relay: RequestListener = (request, response) => {
  const challenge = String(request.headers['x-tailscale-challenge'])
  response.writeHead(204, { 'X-Tailscale-Response': `response ${challenge}` }).end()
}

test('a relay that answers its challenge: no portal', async () => {
  await using honest = await serve(relay)
  expect(await detectCaptivePortal([honest])).toBe(false)
})

test('a redirection, a page, or an empty answer without the response: a portal', async () => {
  for (const [status, headers] of [
    [302, { Location: '/login' }],
    [200, {}],
    [204, {}],
    [204, { 'X-Tailscale-Response': 'response ts_other' }],
  ] as const) {
    await using portal = await serve((_request, response) => void response.writeHead(status, headers).end())
    await using honest = await serve(relay)
    expect(await detectCaptivePortal([portal])).toBe(true)
    expect(await detectCaptivePortal([honest, portal])).toBe(true)
  }
})

test('no answer: nobody can tell', async () => {
  const gone = await serve(relay)
  await gone[Symbol.asyncDispose]()
  expect(await detectCaptivePortal([gone])).toBeUndefined()
  expect(await detectCaptivePortal([])).toBeUndefined()
})
