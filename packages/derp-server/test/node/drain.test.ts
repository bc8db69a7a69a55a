// Ending well: what was taken from one client is still sent to another, and nobody can hold the end up.
import { expect, test } from 'vitest'
import { publicKeyOf } from '@mesh/keys'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { listen, type ListeningRelay, RawClient } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const LENGTH = 60_000
const COUNT = 30

/** Two clients, of whom the second does not read, and more on the way to it than sockets take. */
async function stalled({ port, relay }: ListeningRelay): Promise<[RawClient, RawClient]> {
  const [alice, bob] = [
    await RawClient.login(port, 1, SERVER_KEY),
    await RawClient.login(port, 2, SERVER_KEY),
  ]
  bob.socket.pause()
  // The system's buffers first, then the relay's own queue.
  while (relay.stats.dropped.queue_head === 0) {
    alice.send(bob.key, dataPacket(0, LENGTH))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  return [alice, bob]
}

test('S20: a relay that drains sends what it holds, lets nobody in and takes nothing more', async () => {
  await using server = await listen({ writeTimeout: 0 })
  const [alice, bob] = await stalled(server)
  const { packetsReceived } = server.relay.stats
  let ended = false
  const end = server.relay.drain(20_000).then(() => {
    ended = true
  })
  for (let i = 0; i < COUNT; i += 1) alice.send(bob.key, dataPacket(1, LENGTH))
  await expect(RawClient.login(server.port, 3, SERVER_KEY)).rejects.toThrow(/503/)
  expect([ended, server.relay.stats.packetsReceived]).toEqual([false, packetsReceived])
  bob.socket.resume()
  await Promise.all([end, bob.untilEnd(), alice.untilEnd()])
  const arrived = bob.frames.filter(({ type }) => type === FRAME_RECV_PACKET)
  const { packetsSent } = server.relay.stats
  expect(arrived.length).toBe(packetsSent)
  expect(arrived.every(({ payload }) => payload.length === 32 + LENGTH)).toBe(true)
})

test('S20: a receiver that takes nothing does not hold up the end for longer than is allowed', async () => {
  await using server = await listen({ writeTimeout: 0 })
  const [alice] = await stalled(server)
  const start = performance.now()
  await server.relay.drain(100)
  expect(performance.now() - start).toBeGreaterThanOrEqual(99)
  await alice.untilEnd()
})
