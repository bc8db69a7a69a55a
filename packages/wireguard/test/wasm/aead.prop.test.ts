// The module against noble: every length that a packet can well have, then batches of anything.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contains, loaded, noise, sealedByNoble, slotOf } from './support.ts'

/** Seals one text in place, compares it with noble's, and opens it. */
function roundTrip(aead: ReturnType<typeof loaded>, slot: number, key: Uint8Array, length: number): boolean {
  const { bytes, table, packets } = aead.arena
  const text = noise(length, length + 1)
  const high = length % 3 === 0 ? 0 : Math.imul(length, 0x9e3779b1) >>> 0
  const low = Math.imul(length, 0x85ebca6b) >>> 0
  const at = packets + (length % 17)
  bytes.set(text, at)
  table.set(0, at, length, high, low, slot)
  if (aead.sealBatch(table, 1) !== 1 || table.result(0) !== length + 16) return false
  if (!same(bytes.subarray(at, at + length + 16), sealedByNoble(key, high, low, text))) return false
  table.set(0, at, length + 16, high, low, slot)
  if (aead.openBatch(table, 1) !== 1 || table.result(0) !== length) return false
  return same(bytes.subarray(at, at + length), text)
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

describe('against noble', () => {
  test('every length from 0 to 2,100 seals to the same bytes and opens again', () => {
    const aead = loaded()
    const key = noise(32, 1)
    const slot = slotOf(aead, key)
    const lengths = Array.from({ length: 2101 }, (_, i) => i)
    expect(lengths.filter((length) => !roundTrip(aead, slot, key, length))).toEqual([])
  })

  test('so do lengths up to the longest', () => {
    const aead = loaded()
    const key = noise(32, 2)
    const slot = slotOf(aead, key)
    const lengths = [4095, 8191, 9000, 16_384, 32_767, 49_151, 65_472, 65_507, 65_519, 65_534, 65_535]
    expect(lengths.filter((length) => !roundTrip(aead, slot, key, length))).toEqual([])
  })

  test('so do batches of any packets under any keys and counters', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const word = fc.integer({ min: 0, max: 0xffffffff })
    const packet = fc.record({
      text: fc.uint8Array({ maxLength: 700 }),
      gap: fc.integer({ min: 0, max: 20 }),
      high: word,
      low: word,
      key: fc.integer({ min: 0, max: 2 }),
    })
    const keys = [noise(32, 3), noise(32, 4), noise(32, 5)]
    const slots = keys.map((key) => slotOf(aead, key))
    fc.assert(
      fc.property(fc.array(packet, { minLength: 1, maxLength: 64 }), (batch) => {
        let at = packets
        const offsets = batch.map(({ text, gap }) => {
          const offset = at + gap
          at = offset + text.length + 16
          return offset
        })
        for (const [i, { text, high, low, key }] of batch.entries()) {
          bytes.set(text, offsets[i])
          table.set(i, offsets[i] ?? 0, text.length, high, low, slots[key] ?? -1)
        }
        expect(aead.sealBatch(table, batch.length)).toBe(batch.length)
        for (const [i, { text, high, low, key }] of batch.entries()) {
          const sealed = sealedByNoble(keys[key] ?? new Uint8Array(32), high, low, text)
          const offset = offsets[i] ?? 0
          expect(bytes.slice(offset, offset + sealed.length)).toEqual(sealed)
          table.set(i, offset, table.result(i), high, low, slots[key] ?? -1)
        }
        expect(aead.openBatch(table, batch.length)).toBe(batch.length)
        for (const [i, { text }] of batch.entries()) {
          const offset = offsets[i] ?? 0
          expect(bytes.slice(offset, offset + table.result(i))).toEqual(text)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('counters keep all their 64 bits, around 2^32, around 2^53 and up to the last (threat 22)', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const key = noise(32, 6)
    const slot = slotOf(aead, key)
    const text = noise(100, 7)
    const edges = [2n ** 32n, 2n ** 53n, 2n ** 60n, 2n ** 64n - 2n ** 13n - 1n]
    const counters = [...edges.flatMap((edge) => [edge - 1n, edge, edge + 1n]), 2n ** 64n - 1n]
    for (const counter of counters) {
      const high = Number(counter >> 32n)
      const low = Number(counter & 0xffffffffn)
      bytes.set(text, packets)
      table.set(0, packets, text.length, high, low, slot)
      aead.sealBatch(table, 1)
      expect(bytes.slice(packets, packets + 116)).toEqual(sealedByNoble(key, high, low, text))
    }
  })
})

describe('a table of anything', () => {
  test('never makes a batch throw, nor read or write a byte outside the packet area', () => {
    const aead = loaded({ batch: 16, keys: 4, extraBytes: 256, packetBytes: 4096 })
    const { bytes, table, packets, keys, extra } = aead.arena
    const key = noise(32, 8)
    slotOf(aead, key)
    extra.set(noise(256, 9))
    const near = (at: number) => fc.integer({ min: Math.max(0, at - 80), max: at + 80 })
    const word = fc.integer({ min: 0, max: 0xffffffff })
    const offset = fc.oneof(
      near(packets),
      near(bytes.length),
      near(keys.address),
      near(extra.byteOffset),
      word,
    )
    const length = fc.oneof(near(40), near(65_535), near(4096), fc.constant(0xffffffff), word)
    const slot = fc.oneof(fc.integer({ min: -1, max: 5 }), word)
    const before = bytes.slice(keys.address, packets)
    fc.assert(
      fc.property(fc.array(fc.tuple(offset, length, word, word, slot), { maxLength: 16 }), (entries) => {
        for (const [i, entry] of entries.entries()) table.set(i, ...entry)
        const sealed = aead.sealBatch(table, entries.length)
        const opened = aead.openBatch(table, entries.length)
        expect(sealed + opened).toBeLessThanOrEqual(2 * entries.length)
        expect(same(bytes.subarray(keys.address, packets), before)).toBe(true)
        expect(contains(bytes.subarray(packets), key)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })
})
