// A client that is a mesh peer: what it says at login, what it is told, and what it may hand over.
import { expect, test } from 'vitest'
import { formatHexKey } from '@mesh/keys'
import {
  encodePeerPresent,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_PEER_PRESENT,
  FRAME_WATCH_CONNS,
  encodeFrame,
} from '@mesh/wire/derp'
import { DerpClient } from '../src/index.ts'
import { ClientBench, CLIENT_PRIVATE_KEY, openClientInfo } from './support.ts'

const MESH_KEY = new Uint8Array(32).fill(0xab)
const [A, B] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]

test('S15: says the mesh key in the sealed login and then asks to watch, after every login', () => {
  const bench = new ClientBench({ meshKey: MESH_KEY, watch: true }).connect()
  expect(openClientInfo(bench.written[0]!)).toMatchObject({ meshKey: formatHexKey(MESH_KEY) })
  bench.cut()
  bench.advance(60)
  bench.connect()
  expect(bench.written.map(({ type }) => type)).toEqual([2, FRAME_WATCH_CONNS, 2, FRAME_WATCH_CONNS])
})

test('a client that is no mesh peer says no mesh key and does not watch', () => {
  const bench = new ClientBench().connect()
  expect(openClientInfo(bench.written[0]!)).not.toHaveProperty('meshKey')
  expect(bench.written).toHaveLength(1)
})

test('S15: PeerPresent is told with address and kind, the short forms of old servers too, and ragged ones counted', () => {
  const bench = new ClientBench({ meshKey: MESH_KEY, watch: true }).connect()
  const endpoint = { address: Uint8Array.of(192, 0, 2, 1), port: 41_641 }
  bench.hear(
    encodePeerPresent({ peer: A, endpoint, flags: 1 }),
    encodePeerPresent({ peer: B, flags: 0 }),
    encodeFrame(FRAME_PEER_PRESENT, A.subarray(1)),
  )
  expect(bench.events('peer-present')).toEqual([
    { kind: 'event', event: 'peer-present', nodeKey: A, endpoint, flags: 1 },
    { kind: 'event', event: 'peer-present', nodeKey: B, flags: 0 },
  ])
  expect(bench.client.stats.ignored).toBe(1)
})

test('S16: forwards with source and destination, and packets for a link that is down wait like others', () => {
  const bench = new ClientBench({ meshKey: MESH_KEY })
  bench.client.forward(A, B, Uint8Array.of(7), 0)
  bench.client.closePeer(A)
  bench.client.forward(A, B, new Uint8Array(65_537), 0)
  bench.connect()
  bench.client.closePeer(A)
  bench.drain()
  const [, forwarded, closed] = bench.written
  expect(forwarded).toEqual({ type: FRAME_FORWARD_PACKET, payload: new Uint8Array([...A, ...B, 7]) })
  expect(closed).toEqual({ type: FRAME_CLOSE_PEER, payload: A })
  expect(bench.client.stats).toMatchObject({ sent: 1, dropped: 1 })
})

test('a mesh key of another length is refused', () => {
  const options = {
    privateKey: CLIENT_PRIVATE_KEY,
    random: (length: number) => new Uint8Array(length),
    meshKey: new Uint8Array(31),
  }
  expect(() => new DerpClient(options, 0)).toThrow(RangeError)
})
