// What stands between a node and its control server in offices and clouds: reverse proxies that forward no upgrade but a
// WebSocket's, and networks that nothing leaves except by a proxy.
import { createServer, type IncomingMessage, request as httpRequest, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { ControlEvent } from '@mesh/control-client'
import { connectControl } from '@mesh/control-client/node'
import { startControl } from '@mesh/control-server/contract'
import type { ControlListener, ControlOptions } from '@mesh/control-server/node'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, expect, test, vi } from 'vitest'

const open: { close(): unknown }[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const thing of open.splice(0).toReversed()) await thing.close()
})

async function serve(options: Partial<ControlOptions> = {}): Promise<ControlListener> {
  const control = await startControl(options)
  open.push(control)
  await control.admin({ verb: 'users create', name: 'ann' })
  return control
}

/** Returns how a login goes: the first map, or the first trouble. */
async function login(control: ControlListener, serverUrl: string, ca?: string): Promise<ControlEvent> {
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  return new Promise((resolve) => {
    const connection = connectControl({
      serverUrl,
      ca,
      authKey: key,
      machineKey: generatePrivateKey(systemRandom),
      nodeKey: generatePrivateKey(systemRandom),
      discoKey: `discokey:${'1'.repeat(64)}`,
      hostinfo: { OS: 'linux', Hostname: 'box' },
      onEvent: (event) => {
        if (event.event === 'map' || event.event === 'trouble') resolve(event)
      },
    })
    open.push(connection)
  })
}

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  })
  return (server.address() as AddressInfo).port
}

/** Joins two sockets until either ends. */
function join(outside: Socket, inside: Socket): void {
  outside.pipe(inside).pipe(outside)
  for (const socket of [outside, inside]) socket.on('error', () => undefined)
  outside.on('close', () => inside.destroy())
  inside.on('close', () => outside.destroy())
}

/** Sends an upgrade on as it came. */
function forwardUpgrade(
  request: IncomingMessage,
  outside: Socket,
  head: Buffer,
  port: number,
  path: string,
): void {
  const inside = connect(port, '127.0.0.1', () => {
    const lines = [`${request.method} ${path} HTTP/1.1`]
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`)
    inside.write(`${lines.join('\r\n')}\r\n\r\n`)
    inside.write(head)
    join(outside, inside)
  })
}

/** A reverse proxy that forwards the upgrades of WebSockets, and does `otherwise` with any other. */
async function reverseProxy(control: ControlListener, otherwise: (socket: Socket) => void): Promise<string> {
  const port = Number(new URL(control.url).port)
  const proxy = createServer((request, response) => {
    const onward = {
      host: '127.0.0.1',
      port,
      method: request.method,
      path: request.url,
      headers: request.headers,
    }
    request.pipe(
      httpRequest(onward, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      }),
    )
  })
  proxy.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (request.method !== 'GET') return otherwise(socket)
    forwardUpgrade(request, socket, head, port, request.url ?? '')
  })
  return `http://127.0.0.1:${await listen(proxy)}`
}

test.each<[string, (socket: Socket) => void]>([
  ['answers 400', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
  ['hangs up', (socket) => socket.destroy()],
])('goes over a WebSocket when a proxy %s to the upgrade', async (_, otherwise) => {
  const control = await serve()
  const url = await reverseProxy(control, otherwise)
  expect(await login(control, url)).toMatchObject({ event: 'map' })
})

test('goes over a WebSocket when a proxy never answers the upgrade', async () => {
  const control = await serve()
  const url = await reverseProxy(control, () => undefined)
  expect(await login(control, url)).toMatchObject({ event: 'map' })
})

test('says that something swallows the upgrade when a WebSocket does not get through either', async () => {
  const control = await serve()
  const port = Number(new URL(control.url).port)
  // Like a proxy that knows nothing of upgrades at all: it leaves the headers out and gets the server's hint.
  const proxy = createServer((request, response) => {
    const onward = httpRequest(
      { host: '127.0.0.1', port, method: request.method, path: request.url },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502)
        answer.pipe(response)
      },
    )
    onward.end()
  })
  const event = await login(control, `http://127.0.0.1:${await listen(proxy)}`)
  expect(event).toMatchObject({ event: 'trouble', error: { code: 'ERR_CONTROL_UPGRADE' } })
})

/** A forward proxy that knows one name, and counts who came. */
async function forwardProxy(control: ControlListener): Promise<{ url: string; asked: string[] }> {
  const port = Number(new URL(control.url).port)
  const asked: string[] = []
  const proxy = createServer((request, response) => {
    const { pathname, search, host } = new URL(request.url ?? '')
    asked.push(`${request.method} ${host}`)
    const onward = {
      host: '127.0.0.1',
      port,
      method: request.method,
      path: pathname + search,
      headers: request.headers,
    }
    request.pipe(httpRequest(onward, (answer) => answer.pipe(response)))
  })
  proxy.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { pathname, search, host } = new URL(request.url ?? '')
    asked.push(`${request.method} ${host}`)
    forwardUpgrade(request, socket, head, port, pathname + search)
  })
  proxy.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    asked.push(`CONNECT ${request.url}`)
    const inside = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      inside.write(head)
      join(socket, inside)
    })
  })
  return { url: `http://127.0.0.1:${await listen(proxy)}`, asked }
}

test('reaches a server with TLS through the proxy that HTTPS_PROXY names', async () => {
  const pair = selfSignedCertificate('control.test')
  const control = await serve({ tls: pair })
  const proxy = await forwardProxy(control)
  vi.stubEnv('HTTPS_PROXY', proxy.url)
  expect(await login(control, 'https://control.test', pair.cert)).toMatchObject({ event: 'map' })
  expect(proxy.asked).toContain('CONNECT control.test:443')
})

test('reaches a server without TLS through the proxy that HTTP_PROXY names', async () => {
  const control = await serve()
  const proxy = await forwardProxy(control)
  vi.stubEnv('HTTP_PROXY', proxy.url)
  expect(await login(control, 'http://control.test')).toMatchObject({ event: 'map' })
  expect(proxy.asked).toContain('POST control.test')
})

test('asks no proxy for a server on loopback', async () => {
  const control = await serve()
  const proxy = await forwardProxy(control)
  vi.stubEnv('HTTP_PROXY', proxy.url)
  expect(await login(control, control.url)).toMatchObject({ event: 'map' })
  expect(proxy.asked).toEqual([])
})
