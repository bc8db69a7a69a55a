// Strangers with many sockets, endless bodies and no intention to log in.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { publicKeyOf } from '@mesh/keys'
import { ManualClock } from '@mesh/sansio'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { listen, RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const STRANGERS = 500

/** Opens a socket, sends what it is told and reads whatever comes. */
async function stranger(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.resume()
  socket.write(bytes)
  return socket
}

/** Waits for the end of a socket, be it by an error. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('threat 26: hundreds that upgrade and then say nothing are gone after 10 s; others are served meanwhile', async () => {
  const clock = new ManualClock()
  await using server = await listen({ clock })
  const sockets: Socket[] = []
  for (let i = 0; i < STRANGERS; i += 1) sockets.push(await stranger(server.port, upgradeRequest()))
  const allEnded = Promise.all(sockets.map(ended))
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  expect(server.relay.stats.connections).toBe(STRANGERS + 2)
  alice.send(bob.key, dataPacket(1))
  await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  clock.advanceBy(10_000)
  await allEnded
  expect(server.relay.stats).toMatchObject({ connections: 2, clients: 2, refused: STRANGERS })
})

test('threat 26: an endless upload is answered and cut off', async () => {
  await using server = await listen()
  const head = 'POST /derp/probe HTTP/1.1\r\nHost: relay\r\nContent-Length: 1073741824\r\n\r\n'
  const socket = await stranger(server.port, head)
  const closed = ended(socket)
  const chunk = Buffer.alloc(65_536)
  let sent = 0
  const upload = (): void => {
    while (socket.writable && sent < 1_073_741_824) {
      sent += chunk.length
      if (!socket.write(chunk)) break
    }
  }
  socket.on('drain', upload)
  upload()
  await closed
  expect(sent).toBeLessThan(64 * 1_048_576)
})

test('threat 26: a client that claims a frame of 64 KiB + 1 is cut off before it sends it', async () => {
  await using server = await listen()
  const client = await RawClient.login(server.port, 1, SERVER_KEY)
  client.socket.write(Uint8Array.of(4, 0, 1, 0, 33))
  await client.untilEnd()
  expect(server.relay.stats.clients).toBe(0)
})
