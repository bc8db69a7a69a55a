// The work of a packet thread, done in this one.
import { loadWasmAead } from '../../src/wasm/index.ts'
import { beforeEach, expect, test } from 'vitest'
import { CORE_PACKET_BYTES } from '../../src/linux/plane-core.ts'
import { linuxDataPlaneUnsupportedReason } from '../../src/node/index.ts'
import { type PlaneNews, type PlaneStart, SHARED_WORDS } from '../../src/node/plane-messages.ts'
import { PlaneThread, THREAD_SCRATCH } from '../../src/node/plane-thread.ts'

beforeEach(({ skip }) => {
  const reason = linuxDataPlaneUnsupportedReason()
  if (reason !== undefined) skip(reason)
})

function openThread(start: Partial<PlaneStart>): { thread: PlaneThread; said: PlaneNews[] } {
  const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES, extraBytes: THREAD_SCRATCH })
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  const said: PlaneNews[] = []
  const thread = new PlaneThread(
    {
      lane: 0,
      takes: { overlay: 'always', underlay: true },
      turn: { word: new SharedArrayBuffer(4), wakes: -1 },
      leads: true,
      openers: 1,
      opener: 0,
      flows: { writes: undefined, reads: [] },
      tun: -1,
      sockets: { v4: -1, v6: -1, segments: false },
      wakeUp: -1,
      mtu: 1_420,
      roams: true,
      shared: new SharedArrayBuffer(SHARED_WORDS * 4),
      clock: { now: 0, seconds: 0, nanoseconds: 0 },
      judge: undefined,
      aead: 'wasm',
      ...start,
    },
    loaded.aead,
    { backend: loaded.aead, missing: [] },
    (news) => said.push(news),
  )
  return { thread, said }
}

/** Bytes of a datagram of this type and length, with index 1 where a session's has one. */
function datagram(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set([type, 0, 0, 0, 1])
  return bytes
}

test('what another thread opens goes to it however long; of the rest what no handshake can be is dropped', () => {
  // The index 1, its bytes the other way round, is even: the session is for the first of two.
  const { thread, said } = openThread({ openers: 2, opener: 1 })
  const datagrams = [datagram(4, 9_000), datagram(1, 148), datagram(9, 148), datagram(9, 9_000)]
  thread.perform({ kind: 'datagrams', datagrams, sources: [-1, -1, -1, -1] }, 0)
  thread.step(0, () => undefined)
  const handed = said.flatMap((news) => (news.kind === 'report' ? news.datagrams : []))
  expect(handed.map(({ bytes }) => [bytes[0], bytes.length])).toEqual([
    [4, 9_000],
    [1, 148],
  ])
})
