import { dataPlaneContract } from '@mesh/wireguard/contract'
import { describe, expect, test } from 'vitest'
import { ArenaDataPlane, loadArenaDataPlane } from '../../src/linux/arena-data-plane.ts'
import { CORE_PACKET_BYTES } from '../../src/linux/plane-core.ts'
import { loadWasmAead } from '../../src/wasm/index.ts'

describe('ArenaDataPlane', () => {
  test.each(dataPlaneContract)('$name', (clause) => {
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    expect(() => clause.run((outputs) => new ArenaDataPlane(loaded.aead, outputs))).not.toThrow()
  })
})

test('a gateway of ten thousand peers keeps the sessions of all', () => {
  const loaded = loadArenaDataPlane()
  if (loaded.kind === 'missing') throw new Error(loaded.reason)
  let ended = 0
  const nothing = (): void => undefined
  const outputs = { toOverlay: nothing, toUnderlay: nothing, onDatagrams: nothing, onActivity: nothing }
  const plane = loaded.open({ ...outputs, onSource: nothing, onSessionEnd: () => (ended += 1) }, 1_280)
  const peers = Array.from({ length: 10_000 }, (_, peer) => peer)
  plane.setRoutes(peers.map((peer) => ({ peer, routes: [], allowedIps: [] })))
  const key = new Uint8Array(32).fill(1)
  const keys = { remoteIndex: 1, sendKey: key, receiveKey: key, createdAt: 0 }
  for (const peer of peers) {
    for (const [number, initiator] of [true, true, false].entries()) {
      plane.setSession(peer, { ...keys, localIndex: 3 * peer + number, initiator }, 0)
    }
  }
  // A session of the peer's own beginning takes the place of the one before the last.
  expect(ended).toBe(peers.length)
})
