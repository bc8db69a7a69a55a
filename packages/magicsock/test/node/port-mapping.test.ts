// The port mapper's shell on loopback: what it fetches, what it refuses, and how it finds the gateway.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { formatAddress, parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { gatewayOf } from '../../src/node/default-gateway.ts'
import { fetchGateway } from '../../src/node/fetch-gateway.ts'

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    fetch: (timeout = 1_000) =>
      fetchGateway({
        method: 'POST',
        to: { address: parseAddress('127.0.0.1')!, port },
        path: '/x',
        headers: { 'Content-Type': 'text/xml' },
        body: 'hello',
        maxLength: 1_000,
        timeout,
      }),
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('fetches what is asked, with its body', async () => {
  using gateway = await serve((request, response) => {
    request.on('data', (chunk: Buffer) =>
      response.end(`${request.method} ${request.url} ${chunk.toString()}`),
    )
  })
  expect(await gateway.fetch()).toEqual({ status: 200, body: 'POST /x hello' })
})

test('threat 13: a redirection is not followed', async () => {
  let asked = 0
  using gateway = await serve((_request, response) => {
    asked += 1
    response.writeHead(302, { Location: '/elsewhere' }).end()
  })
  expect((await gateway.fetch())?.status).toBe(302)
  expect(asked).toBe(1)
})

test('threat 13: more bytes than said are no answer, and neither is one that never ends', async () => {
  using long = await serve((_request, response) => void response.end('x'.repeat(5_000)))
  expect(await long.fetch()).toBeUndefined()
  using endless = await serve((_request, response) => void response.write('x'))
  expect(await endless.fetch(100)).toBeUndefined()
  using headers = await serve((_request, response) => void response.setHeader('X', 'x'.repeat(20_000)).end())
  expect(await headers.fetch()).toBeUndefined()
})

test.each([
  ['a head that never ends', 'HTTP/1.1 200 OK\r\n', 'X: y\r\n'],
  ['promises of an answer', '', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ['a chunk now and then', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
  ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n', 'x'],
])('threat 13: %s is no answer, and costs no more time than was said', async (_what, head, drop) => {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    socket.write(head)
    const dripping = setInterval(() => socket.write(drop), 5)
    socket.on('close', () => clearInterval(dripping))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const to = { address: parseAddress('127.0.0.1')!, port }
  const wanted = {
    method: 'GET',
    to,
    path: '/',
    headers: {},
    body: '',
    maxLength: 1_000,
    timeout: 200,
  } as const
  const began = performance.now()
  expect(await fetchGateway(wanted)).toBeUndefined()
  expect(performance.now() - began).toBeLessThan(5_000)
  for (const socket of sockets) socket.destroy()
  server.close()
})

test('the gateway is the default route of least metric, with our address beside it', () => {
  const table = [
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT',
    'wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0',
    'eth0\t00000000\tFE02A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0',
    'eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0',
  ].join('\n')
  const address = (text: string) => ({
    address: text,
    cidr: `${text}/24`,
    family: 'IPv4' as const,
    netmask: '255.255.255.0',
    mac: '',
    internal: false,
  })
  const found = gatewayOf(table, { eth0: [address('10.0.0.5'), address('192.168.2.9')] })
  expect(found && [formatAddress(found.address), formatAddress(found.self)]).toEqual([
    '192.168.2.254',
    '192.168.2.9',
  ])
  expect(gatewayOf(table, {})).toBeUndefined()
  expect(gatewayOf('', {})).toBeUndefined()
})
