// Measuring a relay over HTTP, on loopback.
import { createServer, type RequestListener } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { expect, test } from 'vitest'
import { measureRelayByHttps } from '../../src/node/index.ts'

async function serve(answer: RequestListener) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    target: { hostName: 'relay.example', address: '127.0.0.1', port, plain: true },
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('D15: a relay is as far as its answer takes, without the connecting', async () => {
  const asked: (string | undefined)[] = []
  using relay = await serve((request, response) => {
    asked.push(request.url, request.headers.host)
    setTimeout(() => response.end(), 30)
  })
  const latency = await measureRelayByHttps(relay.target)
  expect(latency).toBeGreaterThanOrEqual(29)
  expect(asked).toEqual(['/derp/latency-check', 'relay.example'])
})

test('another status than success is no measurement, and a redirection is not followed', async () => {
  for (const status of [302, 404, 503]) {
    using relay = await serve(
      (_request, response) => void response.writeHead(status, { Location: '/' }).end(),
    )
    expect(await measureRelayByHttps(relay.target)).toBeUndefined()
  }
})

test('a relay that is not there, hangs up, or does not speak TLS, is not measured', async () => {
  const server = createTcpServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const target = { hostName: 'relay.example', address: '127.0.0.1', port }
  expect(await measureRelayByHttps({ ...target, plain: true })).toBeUndefined()
  expect(await measureRelayByHttps(target)).toBeUndefined()
  server.close()
  await once(server, 'close')
  expect(await measureRelayByHttps({ ...target, plain: true })).toBeUndefined()
})
