// Pings of a PeerAPI, against a server on loopback: the kernel's way, and through a stream of the user-space stack's kind.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { parseAddress } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { peerApiUrl, pingPeerApi } from '../../src/node/peer-api-ping.ts'
import { node } from '../map-node.ts'

async function serve(status: number | 'silence') {
  const seen: string[] = []
  const server: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host}`)
    if (status !== 'silence') response.writeHead(status).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = (): void => {
    server.closeAllConnections()
    server.close()
  }
  return { seen, url: `http://127.0.0.1:${port}`, port, [Symbol.dispose]: close }
}

test('where a PeerAPI is stands in what control says of the node, by family', () => {
  const Services = [
    { Proto: 'tcp', Port: 22 },
    { Proto: 'peerapi4', Port: 47_000 },
    { Proto: 'peerapi6', Port: 0 },
  ]
  const source = node(2, { Hostinfo: { Services } })
  expect(peerApiUrl({ source }, parseAddress('100.64.0.2')!)).toBe('http://100.64.0.2:47000')
  expect(peerApiUrl({ source }, parseAddress('fd7a:115c:a1e0::2')!)).toBeUndefined()
  expect(peerApiUrl({ source: node(2) }, parseAddress('100.64.0.2')!)).toBeUndefined()
})

test('an answer tells where it came from and how long it took', async () => {
  using api = await serve(200)
  const answer = await pingPeerApi(api.url, 5_000, undefined)
  expect(answer).toMatchObject({ Err: '', PeerAPIURL: api.url })
  expect(answer.LatencySeconds).toBeGreaterThan(0)
  expect(api.seen).toEqual([`HEAD / 127.0.0.1:${api.port}`])
})

test('a stream of the user-space stack serves as well', async () => {
  using api = await serve(200)
  const open = async (port: number) => {
    expect(port).toBe(1)
    const stream = connect(api.port, '127.0.0.1')
    await once(stream, 'connect')
    return stream
  }
  expect(await pingPeerApi('http://100.64.0.2:1', 5_000, open)).toMatchObject({ Err: '' })
  expect(api.seen).toEqual(['HEAD / 100.64.0.2:1'])
  const refused = (): Promise<never> => Promise.reject(new Error('b refuses connections to port 1.'))
  expect((await pingPeerApi('http://127.0.0.1:1', 5_000, refused)).Err).toMatch(/b refuses connections/)
  const never = (): Promise<never> => new Promise(() => undefined)
  expect((await pingPeerApi('http://127.0.0.1:1', 100, never)).Err).toBe('timed out')
})

test('a refusal, another status and silence are each told in a sentence', async () => {
  using other = await serve(403)
  using silent = await serve('silence')
  const told = async (url: string): Promise<string | undefined> =>
    (await pingPeerApi(url, 200, undefined)).Err
  expect(await told('http://127.0.0.1:1')).toMatch(/^the PeerAPI does not answer: .*ECONNREFUSED/)
  expect(await told(other.url)).toBe('the PeerAPI answers with HTTP status 403')
  expect(await told(silent.url)).toBe('timed out')
})
