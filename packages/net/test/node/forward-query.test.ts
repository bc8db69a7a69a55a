import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { frameMessage } from '@mesh/dns'
import { forwardQuery } from '../../src/node/forward-query.ts'

const QUERY = Uint8Array.from([1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1])
const sockets: (Socket | Server)[] = []
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

/** A resolver that gives this answer over TCP, a byte at a time, and another over UDP. */
async function resolverOverBoth(overTcp: number[], overUdp: number[]): Promise<string> {
  const place = await resolver(overUdp)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (query) => {
      expect(query).toEqual(Buffer.from(frameMessage(QUERY)))
      for (const byte of frameMessage(Uint8Array.from(overTcp))) socket.write(Uint8Array.of(byte))
    })
  })
  sockets.push(server)
  server.listen(Number(place.split(':')[1]), '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

const GOOD = [1, 2, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 9]
const CUT = [1, 2, 0x83, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]
const FAILED = [1, 2, 0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0]

test('returns the first good answer of several resolvers', async () => {
  const resolvers = [await resolver(FAILED), await resolver(), await resolver(GOOD)]
  expect(await forwardQuery(QUERY, resolvers, 'udp')).toEqual(Uint8Array.from(GOOD))
})

test('takes no answer that belongs to another query', async () => {
  const forged = [9, ...GOOD.slice(1)]
  expect(await forwardQuery(QUERY, [await resolver(forged, [1], GOOD)], 'udp')).toEqual(Uint8Array.from(GOOD))
})

test('returns a failure when there is nothing better', async () => {
  expect(await forwardQuery(QUERY, [await resolver(FAILED)], 'udp')).toEqual(Uint8Array.from(FAILED))
})

test('a resolver without a route to it costs nothing but its answer', async () => {
  const noRoute = '255.255.255.255' // connecting to it is refused at once, as where there is no IPv6
  expect(await forwardQuery(QUERY, [noRoute, await resolver(GOOD)], 'udp')).toEqual(Uint8Array.from(GOOD))
  expect(await forwardQuery(QUERY, [noRoute], 'udp')).toBeUndefined()
  expect(await forwardQuery(QUERY, ['127.0.0.1:0', await resolver(GOOD)], 'udp')).toEqual(
    Uint8Array.from(GOOD),
  )
})

test('asks nobody who cannot be asked over UDP', async () => {
  expect(await forwardQuery(QUERY, ['https://dns.example/dns-query', 'nonsense'], 'udp')).toBeUndefined()
})

test('F8: who asked over TCP gets the whole answer, where UDP has no room for it', async () => {
  const resolvers = [await resolverOverBoth(GOOD, CUT)]
  expect(await forwardQuery(QUERY, resolvers, 'tcp')).toEqual(Uint8Array.from(GOOD))
  expect(await forwardQuery(QUERY, resolvers, 'udp')).toEqual(Uint8Array.from(CUT))
})

test('F8: who asked over TCP gets an answer of a resolver that speaks UDP alone', async () => {
  expect(await forwardQuery(QUERY, [await resolver(GOOD)], 'tcp')).toEqual(Uint8Array.from(GOOD))
  expect(await forwardQuery(QUERY, [await resolver(CUT)], 'tcp')).toEqual(Uint8Array.from(CUT))
})
