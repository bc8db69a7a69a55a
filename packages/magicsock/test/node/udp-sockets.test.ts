// The sockets: one port for both families, many lent buffers, and errors that end nothing.
import { afterEach, describe, expect, test } from 'vitest'
import { type Endpoint, formatEndpoint, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import type { DatagramSocket } from '../../src/index.ts'
import { datagramSocketContract } from '../../src/contract/index.ts'
import { localAddresses, openUdpSockets } from '../../src/node/index.ts'
import { SendRing } from '../../src/node/send-ring.ts'

const open: DatagramSocket[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map((sockets) => sockets.close()))
})

async function openOne(port = 0): Promise<DatagramSocket> {
  const sockets = await openUdpSockets({ port })
  open.push(sockets)
  return sockets
}

function loopback(sockets: DatagramSocket): Endpoint {
  return { address: parseAddress('127.0.0.1')!, port: sockets.ports.v4! }
}

describe('the contract of DatagramSocket', () => {
  datagramSocketContract(test, async () => {
    const near = await openOne()
    const far = await openOne()
    return { near, far, nearAt: loopback(near), farAt: loopback(far) }
  })
})

test('both families have the same port, and each names senders by their own kind of address', async () => {
  const near = await openOne()
  const far = await openOne()
  if (near.ports.v6 === undefined) return console.warn('skipped: this machine has no IPv6')
  expect(near.ports.v6).toBe(near.ports.v4)
  const seen: string[] = []
  far.listen({ onDatagram: (_bytes, from) => seen.push(formatEndpoint(from)), onTrouble: () => undefined })
  near.send(Uint8Array.of(4), { address: parseAddress('127.0.0.1')!, port: far.ports.v4! })
  near.send(Uint8Array.of(6), { address: parseAddress('::1')!, port: far.ports.v6! })
  for (let i = 0; i < 100 && seen.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(seen.sort()).toEqual([`127.0.0.1:${near.ports.v4}`, `[::1]:${near.ports.v6}`])
})

test('what the system refuses is reported with the destination, and the socket goes on', async () => {
  const near = await openOne()
  const far = await openOne()
  const troubles: string[] = []
  const seen: number[] = []
  near.listen({
    onDatagram: () => undefined,
    onTrouble: ({ code, to }) => troubles.push(`${code} ${to === undefined ? '' : formatEndpoint(to)}`),
  })
  far.listen({ onDatagram: (bytes) => seen.push(bytes.length), onTrouble: () => undefined })
  near.send(Uint8Array.of(1), parseEndpoint('255.255.255.255:9')!)
  near.send(new Uint8Array(70_000), loopback(far))
  near.send(Uint8Array.of(1), { ...loopback(far), port: 9 })
  near.send(new Uint8Array(65_507), loopback(far))
  near.send(new Uint8Array(0), loopback(far))
  near.send(Uint8Array.of(1), loopback(far))
  for (let i = 0; i < 100 && seen.length < 3; i++) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(troubles).toEqual(['EACCES 255.255.255.255:9', `EMSGSIZE ${formatEndpoint(loopback(far))}`])
  expect(seen).toEqual([65_507, 0, 1])
})

test('reopened sockets have the port they had', async () => {
  const sockets = await openOne()
  const before = sockets.ports
  await sockets.rebind()
  expect(sockets.ports).toEqual(before)
})

test('sockets closed while they are being reopened leave no port behind', async () => {
  const sockets = await openOne()
  const port = sockets.ports.v4!
  await Promise.all([sockets.rebind(), sockets.rebind(), sockets.close()])
  expect(sockets.ports).toEqual({ v4: undefined, v6: undefined })
  const next = await openOne(port)
  expect(next.ports.v4).toBe(port)
})

test('local addresses are never overlay or link-local IPv6 ones, and have loopback only when asked', () => {
  const texts = (loop: boolean): string[] =>
    localAddresses(loop).map((a) => formatEndpoint({ address: a, port: 1 }))
  expect(texts(true)).toContain('127.0.0.1:1')
  expect(texts(false).some((text) => text.startsWith('[fe80'))).toBe(false)
})

test('a ring gives a slot again only after a thousand others', () => {
  const ring = new SendRing()
  const first = ring.copy(Uint8Array.of(1), 0)!
  for (let i = 0; i < 1_023; i++) ring.copy(Uint8Array.of(2), i)
  expect(first).toEqual(Uint8Array.of(1))
  ring.copy(Uint8Array.of(3), 0)
  expect(first).toEqual(Uint8Array.of(3))
  expect(ring.copy(Uint8Array.of(4), 1_024)).toBeUndefined()
  expect(ring.copy(new Uint8Array(9_000), 0)?.length).toBe(9_000)
})
