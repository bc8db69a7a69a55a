// The Zstd seat filled by Node's own zlib.
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { Zstd } from '@mesh/wire/control'

/** Packs and unpacks map messages with node:zlib; a message that unpacks to too much is refused, not held. */
export const nodeZstd: Zstd = {
  compress(bytes) {
    return zstdCompressSync(bytes)
  },
  decompress(bytes, maxLength) {
    try {
      return zstdDecompressSync(bytes, { maxOutputLength: maxLength })
    } catch {
      return undefined
    }
  },
}
