// What the server seals with. A change of the network is a short record to each of thousands of nodes: `node:crypto` takes
// 5 µs to seal one, WebAssembly less than 1 µs, and it is faster with full ones too (`pnpm bench aead`).

import type { Crypto } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { loadWasmCrypto } from '@mesh/wireguard/wasm'

/** Returns the fastest primitives there are here. */
export function recordCrypto(): Crypto {
  const load = loadWasmCrypto(nodeCrypto)
  return load.kind === 'loaded' ? load.crypto : nodeCrypto
}
