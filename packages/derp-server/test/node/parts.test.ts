// One relay in several parts, each with a thread, or here a server, of its own: clients cannot tell it from one.
import { connect } from 'node:net'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { formatHexKey, publicKeyOf } from '@mesh/keys'
import {
  decodePeerPresent,
  encodeClosePeer,
  encodeForwardPacket,
  encodeNotePreferred,
  encodeWatchConns,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  FRAME_RECV_PACKET,
  FRAME_SERVER_INFO,
} from '@mesh/wire/derp'
import { createRelay } from '../../src/node/index.ts'
import { PartLink } from '../../src/node/part-link.ts'
import { dataPacket, loginFrame, RELAY_PRIVATE_KEY } from '../support.ts'
import { listen, type ListeningRelay, RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const MESH_KEY = new Uint8Array(32).fill(0xab)

interface Parts extends AsyncDisposable {
  readonly a: ListeningRelay
  readonly b: ListeningRelay
}

async function twoParts([port1, port2] = channel()): Promise<Parts> {
  const options = { parts: true, meshKey: MESH_KEY }
  const [a, b] = [await listen(options), await listen(options)]
  await Promise.all([a.relay.joinPart(port1), b.relay.joinPart(port2)])
  return {
    a,
    b,
    async [Symbol.asyncDispose]() {
      await a[Symbol.asyncDispose]()
      await b[Symbol.asyncDispose]()
    },
  }
}

function channel(): [MessagePort, MessagePort] {
  const { port1, port2 } = new MessageChannel()
  return [port1, port2]
}

/** Two ports with a long way between them. */
function slowChannel(delay: number): [MessagePort, MessagePort] {
  const [near, nearEnd] = channel()
  const [far, farEnd] = channel()
  const later = (to: MessagePort) => (message: unknown) => setTimeout(() => to.postMessage(message), delay)
  nearEnd.on('message', later(farEnd))
  farEnd.on('message', later(nearEnd))
  near.on('close', () => farEnd.close())
  far.on('close', () => nearEnd.close())
  return [near, far]
}

/** Waits until something holds; a part hears of the other's clients a moment later. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function packetTo(to: RawClient): Promise<Uint8Array> {
  const { payload } = await to.until((frame) => frame.type === FRAME_RECV_PACKET)
  to.frames.length = 0
  return payload
}

async function meshPeer(port: number, seed: number): Promise<RawClient> {
  const client = new RawClient(connect(port, '127.0.0.1'), seed)
  const info = { version: 2, canAckPings: true, isProber: false, meshKey: formatHexKey(MESH_KEY) }
  client.socket.write(upgradeRequest())
  client.socket.write(loginFrame(new Uint8Array(32).fill(seed), SERVER_KEY, info))
  await client.until((frame) => frame.type === FRAME_SERVER_INFO)
  return client
}

test('packets cross between clients of two parts both ways, and a departure is told across', async () => {
  await using parts = await twoParts()
  const alice = await RawClient.login(parts.a.port, 1, SERVER_KEY)
  const bob = await RawClient.login(parts.b.port, 2, SERVER_KEY)
  await until(() => parts.a.relay.stats.clientsElsewhere === 1 && parts.b.relay.stats.clientsElsewhere === 1)
  alice.send(bob.key, dataPacket(7, 65_536))
  expect(await packetTo(bob)).toEqual(new Uint8Array([...alice.key, ...dataPacket(7, 65_536)]))
  bob.send(alice.key, dataPacket(8))
  expect(await packetTo(alice)).toEqual(new Uint8Array([...bob.key, ...dataPacket(8)]))
  bob.socket.destroy()
  const gone = await alice.until((frame) => frame.type === FRAME_PEER_GONE)
  expect(gone.payload).toEqual(new Uint8Array([...bob.key, 0]))
  expect(parts.a.relay.stats.clientsElsewhere).toBe(0)
})

test('S16: a client that was let in is reached from the other part at once, however late that hears of it', async () => {
  await using parts = await twoParts(slowChannel(50))
  const alice = await RawClient.login(parts.a.port, 1, SERVER_KEY)
  const bob = await RawClient.login(parts.b.port, 2, SERVER_KEY)
  alice.send(bob.key, dataPacket(7))
  expect(await packetTo(bob)).toEqual(new Uint8Array([...alice.key, ...dataPacket(7)]))
  bob.send(alice.key, dataPacket(8))
  expect(await packetTo(alice)).toEqual(new Uint8Array([...bob.key, ...dataPacket(8)]))
  expect([parts.a, parts.b].map(({ relay }) => relay.stats.dropped.unknown_dest)).toEqual([0, 0])
})

test('S14: of two connections with one key in two parts the last to have spoken receives, wherever the sender is', async () => {
  await using parts = await twoParts()
  const inA = await RawClient.login(parts.a.port, 2, SERVER_KEY)
  const inB = await RawClient.login(parts.b.port, 2, SERVER_KEY)
  const senders = [
    await RawClient.login(parts.a.port, 1, SERVER_KEY),
    await RawClient.login(parts.b.port, 3, SERVER_KEY),
  ]
  const everybodySendsTo = async (receiver: RawClient, mark: number): Promise<void> => {
    for (const sender of senders) {
      sender.send(inA.key, dataPacket(mark))
      expect((await packetTo(receiver)).at(-1)).toBe(mark)
    }
  }
  await until(() => parts.a.relay.stats.clientsElsewhere >= 1 && parts.b.relay.stats.clientsElsewhere >= 1)
  await everybodySendsTo(inB, 1)
  inA.socket.write(encodeNotePreferred(true))
  await until(() => parts.a.relay.stats.homeConnections === 1)
  // The word reaches the other part a moment after.
  await new Promise((resolve) => setTimeout(resolve, 50))
  await everybodySendsTo(inA, 2)
  inA.socket.destroy()
  await until(() => parts.a.relay.stats.connections === 1)
  await new Promise((resolve) => setTimeout(resolve, 50))
  await everybodySendsTo(inB, 3)
})

test('S15: to a mesh peer of one part all parts are one relay: it sees, reaches and closes the clients of each', async () => {
  await using parts = await twoParts()
  const bob = await RawClient.login(parts.b.port, 2, SERVER_KEY)
  await until(() => parts.a.relay.stats.clientsElsewhere === 1)
  const sibling = await meshPeer(parts.a.port, 9)
  sibling.socket.write(encodeWatchConns())
  const seen = (key: Uint8Array): boolean =>
    sibling.frames.some(
      ({ type, payload }) =>
        type === FRAME_PEER_PRESENT && Buffer.compare(decodePeerPresent(payload)!.peer, key) === 0,
    )
  await until(() => seen(bob.key))
  const carol = await RawClient.login(parts.b.port, 3, SERVER_KEY)
  await until(() => seen(carol.key))
  const source = new Uint8Array(32).fill(5)
  sibling.socket.write(encodeForwardPacket({ source, destination: bob.key, packet: dataPacket(4) }))
  expect(await packetTo(bob)).toEqual(new Uint8Array([...source, ...dataPacket(4)]))
  sibling.socket.write(encodeClosePeer(bob.key))
  await bob.untilEnd()
  const gone = await sibling.until((frame) => frame.type === FRAME_PEER_GONE)
  expect(gone.payload).toEqual(new Uint8Array([...bob.key, 0]))
})

test('when a part ends, its clients are gone from the others, which go on', async () => {
  await using parts = await twoParts()
  const alice = await RawClient.login(parts.a.port, 1, SERVER_KEY)
  const bob = await RawClient.login(parts.b.port, 2, SERVER_KEY)
  await until(() => parts.a.relay.stats.clientsElsewhere === 1)
  bob.send(alice.key, dataPacket(1))
  await packetTo(alice)
  parts.b.relay.close()
  await alice.until((frame) => frame.type === FRAME_PEER_GONE)
  alice.send(alice.key, dataPacket(2))
  expect((await packetTo(alice)).at(-1)).toBe(2)
})

test('threat 27: what one part has for another that does not keep up is bounded, and the rest dropped', async () => {
  const { port1, port2 } = new MessageChannel()
  const events = { present: no, gone: no, forwarded: no, closePeer: no, closed: no }
  const link = new PartLink(port1, events)
  const packet = {
    source: new Uint8Array(32),
    destination: new Uint8Array(32),
    packet: dataPacket(1, 60_000),
  }
  let taken = 0
  for (let i = 0; i < 1_000; i += 1) if (link.forward(packet)) taken += 1
  expect(taken).toBeGreaterThan(50)
  expect(taken * 60_000).toBeLessThan(8 << 20)
  // The other end reads, and there is room again.
  const other = new PartLink(port2, events)
  let room = link.forward(packet)
  while (!room) {
    await new Promise((resolve) => setTimeout(resolve, 5))
    room = link.forward(packet)
  }
  other.close()
})

test('a relay that was not told that it is a part cannot join one', async () => {
  const relay = createRelay({ privateKey: RELAY_PRIVATE_KEY })
  await expect(relay.joinPart(new MessageChannel().port1)).rejects.toThrow(TypeError)
  relay.close()
})

function no(): void {
  // Nobody listens.
}
