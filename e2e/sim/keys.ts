// Keys for simulated nodes: the same for the same number in every run, and agreed upon once, because a run of a few
// milliseconds would otherwise be spent on elliptic curves. And the crypto of their tunnels, the fastest there is for
// short packets.
import { generatePrivateKey, type X25519 } from '@mesh/keys'
import type { Crypto } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { seededRandom } from '@mesh/sansio'
import { loadWasmCrypto } from '@mesh/wireguard/wasm'

const loaded = loadWasmCrypto(nodeCrypto)

/** What simulated tunnels are sealed with. */
export const tunnelCrypto: Crypto = loaded.kind === 'loaded' ? loaded.crypto : nodeCrypto

/** A key pair. */
export interface KeyPair {
  readonly privateKey: Uint8Array
  readonly publicKey: Uint8Array
}

const random = seededRandom(20_240_229)
const pairs: KeyPair[] = []

/** Returns the key pair with this number. */
export function keyPair(number: number): KeyPair {
  while (pairs.length <= number) {
    const privateKey = generatePrivateKey(random)
    pairs.push({ privateKey, publicKey: nodeCrypto.x25519Public(privateKey) })
  }
  return pairs[number]!
}

const secrets = new Map<string, Uint8Array | undefined>()

/** X25519 that remembers what long-lived keys have agreed upon. */
export const rememberedX25519: X25519 = {
  x25519(privateKey, publicKey) {
    const pair = String.fromCharCode(...privateKey, ...publicKey)
    if (!secrets.has(pair)) secrets.set(pair, nodeCrypto.x25519(privateKey, publicKey))
    return secrets.get(pair)
  },
  x25519Public: (privateKey) => nodeCrypto.x25519Public(privateKey),
}
