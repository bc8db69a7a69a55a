// Through an HTTP proxy: which targets go there, what the proxy is told, and what becomes of its refusal.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { DerpError } from '../../src/index.ts'
import { connectDerp, proxyFromEnvironment } from '../../src/node/index.ts'
import { CLIENT_PRIVATE_KEY } from '../support.ts'
import { fakeRelay, freePort, nextEvent } from './support.ts'

const target = { host: 'relay.example', port: 443, secure: true }

test('the environment names the proxy: one for TLS and one without, in capitals or not, with a scheme or not', () => {
  const environment = { HTTPS_PROXY: 'http://secure.example:3128', http_proxy: 'plain.example' }
  expect(proxyFromEnvironment(target, environment)?.href).toBe('http://secure.example:3128/')
  expect(proxyFromEnvironment({ ...target, secure: false }, environment)?.href).toBe('http://plain.example/')
  expect(proxyFromEnvironment(target, {})).toBeUndefined()
  expect(proxyFromEnvironment(target, { HTTPS_PROXY: '' })).toBeUndefined()
})

test.each([
  ['*', true],
  ['relay.example', true],
  ['EXAMPLE', true],
  ['.example', true],
  ['*.example', true],
  ['.relay.example', false],
  ['lay.example', false],
  ['relay.example:443', true],
  ['relay.example:80', false],
  ['other.example, relay.example', true],
  ['192.0.2.0/24', false],
  ['', false],
])('NO_PROXY %j excepts relay.example:443: %s', (exceptions, exempt) => {
  const environment = { HTTPS_PROXY: 'http://proxy.example', NO_PROXY: exceptions }
  expect(proxyFromEnvironment(target, environment) === undefined).toBe(exempt)
})

test.each([
  ['192.0.2.7', '192.0.2.0/24', true],
  ['192.0.2.7', '192.0.2.7', true],
  ['192.0.2.7', '192.0.2.7:443', true],
  ['192.0.2.7', '192.0.3.0/24', false],
  ['2001:db8::7', '2001:db8::/32', true],
  ['2001:db8::7', '2001:DB8::7', true],
  ['2001:db8::7', '[2001:db8::7]:80', false],
  ['127.0.0.9', '', true],
  ['::1', '', true],
  ['localhost', '', true],
])('the address %s with NO_PROXY %j is excepted: %s', (host, exceptions, exempt) => {
  const environment = { HTTPS_PROXY: 'http://proxy.example', no_proxy: exceptions }
  expect(proxyFromEnvironment({ ...target, host }, environment) === undefined).toBe(exempt)
})

test('a variable that names no HTTP proxy is told without its value, which may hold a password', () => {
  for (const value of ['socks5://user:secret@proxy.example', 'http://user:secret@:x']) {
    expect(() => proxyFromEnvironment(target, { HTTPS_PROXY: value })).toThrow(
      new DerpError('ERR_DERP_PROXY', 'HTTPS_PROXY is not the URL of an HTTP proxy'),
    )
  }
})

/** A proxy that knows one name, and lets in whom `allows` says. */
async function startProxy(
  relayPort: number,
  allows: (request: IncomingMessage) => boolean = () => true,
): Promise<AsyncDisposable & { readonly url: URL; readonly asked: string[] }> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const server: Server = createServer((_request, response) => response.writeHead(400).end())
  server.on('connect', (request, socket: Socket, head) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim())
    sockets.add(socket.on('error', () => undefined))
    if (!allows(request)) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const onward = connect(relayPort, '127.0.0.1').on('error', () => socket.destroy())
    sockets.add(onward)
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    onward.write(head)
    onward.pipe(socket).pipe(onward)
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    asked,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const region = {
  RegionID: 1,
  Nodes: [{ Name: '1a', HostName: 'relay.invalid', IPv4: 'none', IPv6: 'none', DERPPort: 8443 }],
}

test('a relay is reached through a proxy by its name and port, with the password of the URL, and packets cross', async () => {
  await using relay = await fakeRelay()
  const secret = `Basic ${Buffer.from('ann:p@ss').toString('base64')}`
  const allows = ({ headers }: IncomingMessage): boolean => headers['proxy-authorization'] === secret
  await using proxy = await startProxy(relay.port, allows)
  const url = new URL(proxy.url)
  url.username = 'ann'
  url.password = 'p@ss'
  const connection = connectDerp({
    region,
    privateKey: CLIENT_PRIVATE_KEY,
    plain: true,
    proxyFor: () => url,
  })
  const packet = new Promise<number[]>((resolve) => {
    connection.onPacket((_source, bytes) => resolve([...bytes]))
  })
  connection.send(new Uint8Array(32), Uint8Array.of(1, 2, 3))
  expect(await packet).toEqual([1, 2, 3])
  expect(proxy.asked).toEqual([`relay.invalid:8443 ${secret}`])
  expect(relay.requests[0]?.headers.host).toBe('relay.invalid:8443')
  connection.close()
})

async function firstError(proxyFor: () => URL): Promise<unknown> {
  const connection = connectDerp({ region, privateKey: CLIENT_PRIVATE_KEY, plain: true, proxyFor })
  const event = (await nextEvent(connection, 'disconnected')) as { error: unknown }
  connection.close()
  return event.error
}

test('a proxy that refuses or is not there is told from a relay that is not there', async () => {
  await using proxy = await startProxy(0, () => false)
  const { host } = proxy.url
  expect(await firstError(() => proxy.url)).toMatchObject({
    code: 'ERR_DERP_PROXY',
    message: `the proxy ${host} answered 407 Proxy Authentication Required`,
  })
  const nowhere = new URL(`http://127.0.0.1:${await freePort()}`)
  expect(await firstError(() => nowhere)).toMatchObject({
    code: 'ERR_DERP_PROXY',
    message: expect.stringContaining('ECONNREFUSED') as string,
  })
})
