import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeZstd } from '../../src/node/index.ts'

test('what was packed comes out whole', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(Buffer.from(nodeZstd.decompress(nodeZstd.compress(bytes), 2000)!).equals(bytes)).toBe(true)
    }),
    { numRuns: 50 },
  )
})

test('threat 26: a few bytes that unpack to too much are refused', () => {
  const bomb = zstdCompressSync(new Uint8Array(32 << 20))
  expect(bomb.length).toBeLessThan(8192)
  expect(nodeZstd.decompress(bomb, 1 << 20)).toBeUndefined()
})

test('bytes that are no zstd are nothing', () => {
  expect(nodeZstd.decompress(Uint8Array.of(1, 2, 3, 4), 100)).toBeUndefined()
  expect(nodeZstd.decompress(new Uint8Array(0), 100)?.length ?? 0).toBe(0)
})
