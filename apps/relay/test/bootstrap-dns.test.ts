// Names told over HTTPS: who is told what, and what becomes of a name that cannot be looked up.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { BootstrapDns, type Lookup } from '../src/bootstrap-dns.ts'
import { startServing } from './support.ts'

test('S17: /bootstrap-dns answers the published names as JSON, looked up by the system, and closes', async () => {
  const args = ['--dev', '--a', '127.0.0.1:0', '--stun=false', '--bootstrap-dns-names', 'localhost']
  await using relay = await startServing(...args)
  const ask = (query = ''): Promise<Response> => fetch(`${relay.url}/bootstrap-dns${query}`)
  let told: Record<string, string[]> = {}
  while (!('localhost' in told)) told = (await (await ask()).json()) as typeof told
  expect(told['localhost']).toContain('127.0.0.1')
  const answer = await ask('?q=other.example')
  expect([answer.status, answer.headers.get('content-type'), answer.headers.get('connection')]).toEqual([
    200,
    'application/json',
    'close',
  ])
  expect(Object.keys((await answer.json()) as object)).toEqual(['localhost'])
})

/** Asks a server that does nothing but this. */
async function asking(
  published: string[],
  unpublished: string[],
  lookUp: Lookup,
): Promise<AsyncDisposable & { ask(query?: string): Promise<unknown>; said: string[] }> {
  const said: string[] = []
  const dns = new BootstrapDns(published, unpublished, (line) => said.push(line), lookUp)
  await dns.start()
  const server = createServer(({ url = '', headers, socket }, response) => {
    const source = socket.remoteAddress ?? ''
    const answer = dns.answer({ method: 'GET', url, headers, source })
    response.writeHead(answer.status, { ...answer.headers }).end(answer.body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/bootstrap-dns`
  return {
    said,
    ask: async (query = '') => (await fetch(url + query)).json(),
    async [Symbol.asyncDispose]() {
      dns.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('S17: a hidden name is told to who asks for it, and to as many as its TXT record says', async () => {
  const lookUp: Lookup = {
    addresses: async (name) => (name === 'a.example' ? ['192.0.2.1', '2001:db8::1'] : ['192.0.2.2']),
    texts: async (name) =>
      name === 'all.example' ? ['v=1', '100'] : name === 'none.example' ? ['0'] : ['x'],
  }
  const hidden = ['b.example', 'c.example/all.example', 'd.example/none.example', 'e.example/odd.example']
  await using dns = await asking(['a.example'], hidden, lookUp)
  const published = { 'a.example': expect.arrayContaining(['192.0.2.1', '2001:db8::1']) as unknown }
  expect(await dns.ask()).toEqual(published)
  expect(await dns.ask('?q=a.example')).toEqual(published)
  expect(await dns.ask('?q=b.example')).toEqual({ 'b.example': ['192.0.2.2'] })
  expect(await dns.ask('?q=c.example')).toEqual({ 'c.example': ['192.0.2.2'] })
  expect(await dns.ask('?q=d.example')).toEqual(published)
  expect(await dns.ask('?q=e.example')).toEqual(published)
})

test('a name that cannot be looked up is left out, and said', async () => {
  const lookUp: Lookup = {
    addresses: async (name) =>
      name === 'a.example' ? ['192.0.2.1'] : Promise.reject(new Error('ENOTFOUND')),
    texts: async () => [],
  }
  await using dns = await asking(['a.example', 'b.example'], [], lookUp)
  expect(await dns.ask()).toEqual({ 'a.example': ['192.0.2.1'] })
  expect(dns.said).toEqual(['b.example for /bootstrap-dns cannot be looked up: Error: ENOTFOUND'])
})
