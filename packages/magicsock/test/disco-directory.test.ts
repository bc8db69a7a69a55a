// What sealing and opening cost, by the agreements that are computed.
import { generatePrivateKey, nobleX25519, publicKeyOf, type X25519 } from '@mesh/keys'
import { seededRandom } from '@mesh/sansio'
import { expect, test } from 'vitest'
import { DiscoDirectory } from '../src/disco-directory.ts'

const GOOD = publicKeyOf(generatePrivateKey(seededRandom(2)))
/** A point of low order: every agreement with it is zero. */
const WORTHLESS = Uint8Array.of(1, ...new Uint8Array(31))

test.each([
  ['a good key', GOOD, true],
  ['a worthless one, which a peer may choose', WORTHLESS, false],
])('threat 32: %s costs one agreement, however often it is used', (_what, key, opens) => {
  let agreements = 0
  const x25519: X25519 = {
    ...nobleX25519,
    x25519: (privateKey, publicKey) => {
      agreements += 1
      return nobleX25519.x25519(privateKey, publicKey)
    },
  }
  const random = seededRandom(1)
  const directory = new DiscoDirectory({ privateKey: generatePrivateKey(random), random, x25519 })
  const guest = directory.guest(key)
  const message = { kind: 'call-me-maybe', endpoints: [] } as const
  for (let i = 0; i < 10; i += 1) expect(directory.seal(guest, message) !== undefined).toBe(opens)
  expect(agreements).toBe(1)
})
