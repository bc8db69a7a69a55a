import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  controlAccept,
  controlInitiate,
  hasMac1,
  macKeysOf,
  nobleCrypto as crypto,
  openCookieReply,
  wireguardAccept,
  wireguardInitiate,
} from '../src/index.ts'

const all = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const random = (length: number): Uint8Array => new Uint8Array(length).fill(9)
const identity = { crypto, staticPrivate: all(2), staticPublic: crypto.x25519Public(all(2)) }
const keys = macKeysOf(crypto, identity.staticPublic)

/** A good message, cut, flipped or replaced. */
function damaged(message: Uint8Array): fc.Arbitrary<Uint8Array> {
  const flipped = fc
    .tuple(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }))
    .map(([at, by]) => message.map((byte, i) => (i === at ? byte ^ by : byte)))
  const cut = fc.nat(message.length - 1).map((length) => message.slice(0, length))
  return fc.oneof(
    flipped,
    cut,
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ minLength: 148, maxLength: 148 }),
  )
}

describe('damaged handshake messages', () => {
  test('W3 prove no key to a WireGuard responder, and do not throw', () => {
    const good = wireguardInitiate({
      ...identity,
      staticPrivate: all(1),
      staticPublic: crypto.x25519Public(all(1)),
      remoteStatic: identity.staticPublic,
      ephemeralPrivate: all(3),
      timestamp: new Uint8Array(12),
      senderIndex: 5,
    })
    const message = good?.message ?? all(0)
    fc.assert(
      fc.property(damaged(message), (bytes) => {
        const acceptance = wireguardAccept(identity, bytes)
        const noise = (whole: Uint8Array): string => whole.subarray(8, 116).join()
        const intact = bytes.length === 148 && bytes[0] === 1 && noise(bytes) === noise(message)
        expect(acceptance?.openTimestamp() !== undefined).toBe(intact)
        expect(good?.readResponse(bytes)).toBeUndefined()
        expect(openCookieReply(crypto, keys, all(0), bytes)).toBeUndefined()
        expect(bytes.length >= 32 && hasMac1(crypto, keys, bytes)).toBe(false)
      }),
      { numRuns: 60 },
    )
  })

  test('make no control session on either side, and do not throw', () => {
    const machine = controlInitiate({
      version: 1,
      random,
      machinePrivate: all(1),
      controlPublic: identity.staticPublic,
    })
    const message = machine?.message ?? all(0)
    fc.assert(
      fc.property(damaged(message), (bytes) => {
        expect(controlAccept({ version: 1, random, controlPrivate: all(2) }, bytes)).toBeUndefined()
        expect(machine?.readResponse(bytes)).toBeUndefined()
      }),
      { numRuns: 60 },
    )
  })
})
