// What a node does before it meets anybody.
import { type Crypto, nobleCrypto } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { expect, test } from 'vitest'
import { rehearseMeeting } from '../src/rehearsal.ts'

test.each([nobleCrypto, nodeCrypto])('two nodes in memory meet with working primitives ($name)', (crypto) => {
  expect(() => rehearseMeeting(crypto, systemRandom)).not.toThrow()
})

test('a machine whose primitives are broken is told so before it meets a peer', () => {
  const agreesWithNobody = { ...nodeCrypto, x25519: () => systemRandom(32) }
  expect(() => rehearseMeeting(agreesWithNobody, systemRandom)).toThrow('cannot meet')
  const sealsBadly: Crypto = {
    ...nodeCrypto,
    seal: (...what) => {
      const sealed = nodeCrypto.seal(...what)
      sealed[0]! ^= 1
      return sealed
    },
  }
  expect(() => rehearseMeeting(sealsBadly, systemRandom)).toThrow('cannot meet')
})
