import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { forwardQuery } from '../../src/node/forward-query.ts'

const QUERY = Uint8Array.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close()
})

/** A resolver that gives each query these answers, and returns its name. */
async function resolver(...answers: number[][]): Promise<string> {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.on('message', (_query, { port, address }) => {
    for (const answer of answers) socket.send(Uint8Array.from(answer), port, address)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return `127.0.0.1:${socket.address().port}`
}

const GOOD = [1, 2, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 9]
const FAILED = [1, 2, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0]

test('returns the first good answer of several resolvers', async () => {
  const resolvers = [await resolver(FAILED), await resolver(), await resolver(GOOD)]
  expect(await forwardQuery(QUERY, resolvers)).toEqual(Uint8Array.from(GOOD))
})

test('takes no answer that belongs to another query', async () => {
  const forged = [9, ...GOOD.slice(1)]
  expect(await forwardQuery(QUERY, [await resolver(forged, [1], GOOD)])).toEqual(Uint8Array.from(GOOD))
})

test('returns a failure when there is nothing better', async () => {
  expect(await forwardQuery(QUERY, [await resolver(FAILED)])).toEqual(Uint8Array.from(FAILED))
})

test('a resolver without a route to it costs nothing but its answer', async () => {
  const noRoute = '255.255.255.255' // connecting to it is refused at once, as where there is no IPv6
  expect(await forwardQuery(QUERY, [noRoute, await resolver(GOOD)])).toEqual(Uint8Array.from(GOOD))
  expect(await forwardQuery(QUERY, [noRoute])).toBeUndefined()
  expect(await forwardQuery(QUERY, ['127.0.0.1:0', await resolver(GOOD)])).toEqual(Uint8Array.from(GOOD))
})

test('asks nobody who cannot be asked over UDP', async () => {
  expect(await forwardQuery(QUERY, ['https://dns.example/dns-query', 'nonsense'])).toBeUndefined()
})
