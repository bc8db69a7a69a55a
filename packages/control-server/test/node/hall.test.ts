import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect } from 'node:tls'
import { expect, test } from 'vitest'
import { Hall } from '../../src/node/hall.ts'
import { TEST_CERTIFICATE } from './certificate.ts'

let ports = 0

/** A socket from an address. */
function from(remoteAddress: string): Socket {
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
  return Object.assign(socket, { remoteAddress, remotePort: (ports += 1) }) as unknown as Socket
}

function crowd(hall: Hall, size: number, address: string): Socket[] {
  return Array.from({ length: size }, () => {
    const socket = from(address)
    hall.receive(socket)
    return socket
  })
}

const ended = (sockets: readonly Socket[]): number => sockets.filter(({ destroyed }) => destroyed).length

test('threat 26: who opens sockets without end at one place loses its own oldest, and nobody else does', () => {
  const hall = new Hall(() => false)
  const other = crowd(hall, 10, '192.0.2.2')
  const flood = crowd(hall, 20_000, '192.0.2.1')
  expect([ended(flood), ended(other)]).toEqual([20_000 - 1024, 0])
  expect(flood.slice(-1024).some(({ destroyed }) => destroyed)).toBe(false)
})

test('threat 26: sockets of everywhere, and of a proxy that stands for many, are bounded together', () => {
  for (const address of ['10.0.0.5', '127.0.0.1', '::1']) {
    const hall = new Hall((text) => text === '10.0.0.5')
    expect([address, ended(crowd(hall, 12_300, address))]).toEqual([address, 12])
  }
})

test('a socket that was upgraded, whatever speaks for it, or that is closed takes no room', async () => {
  const hall = new Hall(() => false)
  const first = crowd(hall, 1024, '192.0.2.1')
  const [upgraded, closed] = [first.slice(0, 500), first.slice(500)]
  for (const { remoteAddress, remotePort } of upgraded)
    hall.release({ remoteAddress, remotePort } as unknown as Socket)
  for (const socket of closed) socket.destroy()
  await new Promise(setImmediate)
  const second = crowd(hall, 1024, '192.0.2.1')
  expect([ended(upgraded), ended(second)]).toEqual([0, 0])
})

test('threat 26: behind TLS too a socket that was upgraded is not among them, and one that was not is', async () => {
  const hall = new Hall(() => false)
  const server = createServer(TEST_CERTIFICATE)
  server.on('connection', (socket) => hall.receive(socket))
  server.on('upgrade', (_, socket) => {
    hall.release(socket as Socket)
    socket.write('HTTP/1.1 101 Switching Protocols\r\n\r\n')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const [upgraded, idle] = ['POST', 'GET'].map(() =>
    connect({ port, host: '127.0.0.1', ca: TEST_CERTIFICATE.cert, rejectUnauthorized: false }),
  )
  upgraded?.write('POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  idle?.write('GET / HTTP/1.1\r\n')
  await Promise.all([once(upgraded!, 'data'), once(idle!, 'secureConnect')])
  let isOpen = true
  upgraded?.on('close', () => (isOpen = false))
  idle?.on('error', () => undefined)
  const gone = new Promise((resolve) => idle?.on('close', resolve))
  idle?.resume()
  crowd(hall, 12_289, '::1')
  await gone
  expect(isOpen).toBe(true)
  upgraded?.destroy()
  server.close()
})
