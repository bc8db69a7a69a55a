// What a batch refuses, what it leaves behind, and what stays unread.
import { describe, expect, test } from 'vitest'
import { FORGED, REFUSED } from '../../src/wasm/index.ts'
import { contains, FIRST_SECRET, loaded, noise, sealedByNoble, slotOf } from './support.ts'

describe('a forged packet', () => {
  test('is told apart wherever a byte of it was changed, tag or text, and stays as it came', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const key = noise(32, 1)
    const slot = slotOf(aead, key)
    const sealed = sealedByNoble(key, 0, 5, noise(300, 2))
    for (let i = 0; i < sealed.length; i += 1) {
      const forged = sealed.with(i, (sealed[i] ?? 0) ^ (1 << (i % 8)))
      bytes.set(forged, packets)
      table.set(0, packets, forged.length, 0, 5, slot)
      expect(aead.openBatch(table, 1)).toBe(0)
      expect(table.result(0)).toBe(FORGED)
      expect(bytes.slice(packets, packets + forged.length)).toEqual(forged)
    }
  })

  test.each([0, 1, 16, 63, 64, 65, 192, 193, 700, 1420])(
    'of %i bytes leaves neither plaintext nor key stream anywhere in the memory',
    (length) => {
      const aead = loaded()
      const { bytes, table, packets } = aead.arena
      const key = noise(32, 3)
      const slot = slotOf(aead, key)
      const text = noise(length, 4)
      const forged = sealedByNoble(key, 0, 6, text)
      const stream = sealedByNoble(key, 0, 6, new Uint8Array(length))
      forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 0x80
      bytes.set(forged, packets)
      table.set(0, packets, forged.length, 0, 6, slot)
      aead.openBatch(table, 1)
      for (let at = 0; at + 8 <= length; at += 8) {
        expect(contains(bytes, text.subarray(at, at + 8))).toBe(false)
        expect(contains(bytes, stream.subarray(at, at + 8))).toBe(false)
      }
    },
  )

  test('in a batch does not disturb its neighbours', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const key = noise(32, 5)
    const slot = slotOf(aead, key)
    const texts = [10, 1420, 64, 0, 333].map((length, i) => noise(length, i))
    for (const [i, text] of texts.entries()) {
      const sealed = sealedByNoble(key, 1, i, text)
      if (i === 1) sealed[700] = (sealed[700] ?? 0) ^ 1
      bytes.set(sealed, packets + i * 2048)
      table.set(i, packets + i * 2048, sealed.length, 1, i, slot)
    }
    expect(aead.openBatch(table, texts.length)).toBe(4)
    expect(texts.map((_, i) => table.result(i))).toEqual([10, FORGED, 64, 0, 333])
    expect(bytes.slice(packets + 4 * 2048, packets + 4 * 2048 + 333)).toEqual(texts[4])
  })

  test('under the right key with another counter is forged too', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const key = noise(32, 6)
    const slot = slotOf(aead, key)
    bytes.set(sealedByNoble(key, 0, 7, noise(50, 8)), packets)
    table.set(0, packets, 66, 1, 7, slot)
    table.set(1, packets, 66, 0, 8, slot)
    table.set(2, packets, 66, 0, 7, slotOf(aead, noise(32, 9)))
    expect(aead.openBatch(table, 3)).toBe(0)
  })
})

describe('an entry that does not fit', () => {
  test('is refused in both directions and nothing outside the packet area is touched', () => {
    const aead = loaded()
    const { bytes, table, packets, keys } = aead.arena
    const slot = slotOf(aead, noise(32, 1))
    const wrong: readonly (readonly [number, number, number])[] = [
      [packets - 1, 100, slot],
      [0, 100, slot],
      [keys.address, 16, slot],
      [bytes.length - 100, 101, slot],
      [bytes.length, 16, slot],
      [0xffffffff, 16, slot],
      [0xfffffff0, 32, slot],
      [packets, 65_552, slot],
      [packets, 0xffffffff, slot],
      [packets, 0xfffffff0, slot],
      [packets, 100, slot + 1],
      [packets, 100, 8],
      [packets, 100, -1],
    ]
    for (const [i, [offset, length, key]] of wrong.entries()) table.set(i, offset, length, 0, i, key)
    for (const direction of ['sealBatch', 'openBatch'] as const) {
      const before = bytes.slice(packets)
      const keysBefore = bytes.slice(keys.address, packets)
      expect(aead[direction](table, wrong.length)).toBe(0)
      for (const i of wrong.keys()) expect(table.result(i)).toBe(REFUSED)
      expect(bytes.slice(packets)).toEqual(before)
      expect(bytes.slice(keys.address, packets)).toEqual(keysBefore)
    }
  })

  test('is refused when it is too short to hold a tag', () => {
    const aead = loaded()
    const { table, packets } = aead.arena
    const slot = slotOf(aead, noise(32, 1))
    for (let length = 0; length < 16; length += 1) table.set(length, packets, length, 0, 0, slot)
    expect(aead.openBatch(table, 16)).toBe(0)
    expect(Array.from({ length: 16 }, (_, i) => table.result(i))).toEqual(Array(16).fill(REFUSED))
  })

  test('may end with the very last byte of the memory', () => {
    const aead = loaded()
    const { bytes, table } = aead.arena
    const key = noise(32, 2)
    const at = bytes.length - 33 - 16
    bytes.set(noise(33, 3), at)
    table.set(0, at, 33, 0, 1, slotOf(aead, key))
    expect(aead.sealBatch(table, 1)).toBe(1)
    expect(bytes.slice(at)).toEqual(sealedByNoble(key, 0, 1, noise(33, 3)))
  })

  test('writes nothing behind the tag, and opening writes nothing behind the text', () => {
    const aead = loaded()
    const { bytes, table, packets } = aead.arena
    const slot = slotOf(aead, noise(32, 2))
    for (let length = 0; length < 300; length += 1) {
      bytes.fill(0xaa, packets, packets + 400)
      table.set(0, packets + 16, length, 0, length, slot)
      aead.sealBatch(table, 1)
      const end = packets + 16 + length + 16
      expect(bytes.subarray(end, packets + 400).every((byte) => byte === 0xaa)).toBe(true)
      expect(bytes.subarray(packets, packets + 16).every((byte) => byte === 0xaa)).toBe(true)
      const tag = bytes.slice(end - 16, end)
      table.set(0, packets + 16, length + 16, 0, length, slot)
      aead.openBatch(table, 1)
      expect(bytes.slice(end - 16, end)).toEqual(tag)
    }
  })

  test('a table of another arena, or more entries than there are, is the caller’s mistake', () => {
    const aead = loaded()
    expect(() => aead.sealBatch(loaded().arena.table, 1)).toThrow(TypeError)
    expect(() => aead.openBatch(aead.arena.table, 65)).toThrow(RangeError)
    expect(() => aead.openBatch(aead.arena.table, -1)).toThrow(RangeError)
    expect(aead.sealBatch(aead.arena.table, 0)).toBe(0)
  })
})

describe('keys', () => {
  test('are gone from the whole memory once wiped, with all that a batch derived from them (W16)', () => {
    const aead = loaded()
    const { bytes, table, packets, keys } = aead.arena
    const key = noise(32, 11)
    const slot = slotOf(aead, key)
    bytes.set(noise(1420, 12), packets)
    table.set(0, packets, 1420, 0, 1, slot)
    expect(aead.sealBatch(table, 1)).toBe(1)
    expect(contains(bytes, key.subarray(0, 8))).toBe(true)
    expect(bytes.subarray(FIRST_SECRET, table.address).every((byte) => byte === 0)).toBe(true)
    keys.wipe(slot)
    for (let at = 0; at < 32; at += 8) expect(contains(bytes, key.subarray(at, at + 8))).toBe(false)
  })

  test('that were wiped seal and open nothing, though their slot holds a key of zeros', () => {
    const aead = loaded()
    const { bytes, table, packets, keys } = aead.arena
    const slot = slotOf(aead, noise(32, 13))
    keys.wipe(slot)
    keys.wipe(slot)
    bytes.set(sealedByNoble(new Uint8Array(32), 0, 0, noise(40, 1)), packets)
    table.set(0, packets, 56, 0, 0, slot)
    expect(aead.openBatch(table, 1)).toBe(0)
    expect(aead.sealBatch(table, 1)).toBe(0)
    expect(table.result(0)).toBe(REFUSED)
  })

  test('take every slot once, and a wiped one is taken again', () => {
    const { keys } = loaded().arena
    const slots = Array.from({ length: 8 }, (_, i) => keys.put(noise(32, i)))
    expect(new Set(slots).size).toBe(8)
    expect(keys.put(noise(32, 9))).toBe(undefined)
    keys.wipe(3)
    expect(keys.put(noise(32, 9))).toBe(3)
    expect(() => keys.put(new Uint8Array(31))).toThrow(RangeError)
  })
})
