// What the codec tests share: hex as one writes it in a table, and the bytes that no decoder may stumble over.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { Endpoint } from '../src/ip/index.ts'

/** Reads hex with spaces, line breaks and `// notes` in it. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/\/\/.*$/gm, '').replaceAll(/\s/g, '')
  return new Uint8Array(Buffer.from(digits, 'hex'))
}

/** Writes bytes as hex. */
export function toHex(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString('hex')
}

/** Counts up from `first`. */
export function counting(length: number, first = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i)
}

/** The vectors of the fact sheet. */
export { default as vectors } from './vectors/data-plane.json' with { type: 'json' }

/** Any bytes of a fixed length. */
export const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length })

export const u8 = fc.nat(0xff)
export const u16 = fc.nat(0xffff)
export const u24 = fc.nat(0xff_ffff)
export const u32 = fc.nat(0xffff_ffff)

/** An address of either family that is not an IPv4 one in disguise. */
export const address: fc.Arbitrary<Uint8Array> = fc.oneof(
  bytes(4),
  bytes(16).filter((b) => b[0] !== 0),
  fc.constantFrom(hex('00000000000000000000000000000001'), hex('00000000000000000000000000000000')),
)

export const endpoint: fc.Arbitrary<Endpoint> = fc.record({ address, port: u16 })

/** The good bytes damaged: cut, one bit flipped, with a tail, or something else altogether. */
export function damaged(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const cut = fc.tuple(good, fc.nat()).map(([b, n]) => b.subarray(0, n % (b.length + 1)))
  const tail = fc.tuple(good, fc.uint8Array({ maxLength: 64 })).map(([a, b]) => Uint8Array.from([...a, ...b]))
  const flipped = fc.tuple(good, fc.nat()).map(([b, n]) => {
    const copy = b.slice()
    if (copy.length > 0) copy[(n >> 3) % copy.length]! ^= 1 << (n & 7)
    return copy
  })
  return fc.oneof(cut, flipped, tail, fc.uint8Array({ maxLength: 300 }))
}

/**
 * Returns true when a decoder takes any damaged form of its input without throwing and touches none of it; throws
 * with the shrunk example when it does not.
 */
export function survives(good: fc.Arbitrary<Uint8Array>, decode: (bytes: Uint8Array) => unknown): boolean {
  fc.assert(
    fc.property(damaged(good), (bad) => {
      const before = bad.slice()
      decode(bad)
      expect(bad).toEqual(before)
    }),
    { numRuns: 500 },
  )
  return true
}
