import { dataPlaneContract } from '@mesh/wireguard/contract'
import { describe, expect, test } from 'vitest'
import { ArenaDataPlane } from '../../src/linux/arena-data-plane.ts'
import { CORE_PACKET_BYTES } from '../../src/linux/plane-core.ts'
import { loadWasmAead } from '../../src/wasm/index.ts'

describe('ArenaDataPlane', () => {
  test.each(dataPlaneContract)('$name', (clause) => {
    const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES })
    if (loaded.kind === 'missing') throw new Error(loaded.reason)
    expect(() => clause.run((outputs) => new ArenaDataPlane(loaded.aead, outputs))).not.toThrow()
  })
})
