// The vectors of Wycheproof that fit the crypto seat, for whichever filling is being tried.
import { expect, test } from 'vitest'
import type { Crypto } from '../src/index.ts'
import { hex, toHex } from './support.ts'
import chacha from './vectors/wycheproof-chacha20-poly1305.json' with { type: 'json' }
import curve from './vectors/wycheproof-x25519.json' with { type: 'json' }
import xchacha from './vectors/wycheproof-xchacha20-poly1305.json' with { type: 'json' }

type AeadVector = [
  id: number,
  key: string,
  nonce: string,
  ad: string,
  plaintext: string,
  sealed: string,
  valid: boolean,
]

/** Registers one test for each file of vectors. */
export function wycheproofTests(crypto: Crypto): void {
  test('agrees as Wycheproof says, and refuses where the secret would be zero', () => {
    for (const [, privateKey, publicKey, shared] of curve.vectors as [number, string, string, string][]) {
      const secret = crypto.x25519(hex(privateKey), hex(publicKey))
      expect(secret && toHex(secret)).toBe(/^0+$/.test(shared) ? undefined : shared)
    }
  })

  test.each([
    ['ChaCha20-Poly1305', chacha.vectors as AeadVector[], crypto.seal.bind(crypto), crypto.open.bind(crypto)],
    [
      'XChaCha20-Poly1305',
      xchacha.vectors as AeadVector[],
      crypto.xseal.bind(crypto),
      crypto.xopen.bind(crypto),
    ],
  ] as const)('seals and opens %s as Wycheproof says', (_, vectors, seal, open) => {
    for (const [, key, nonce, ad, plaintext, sealed, valid] of vectors) {
      const opened = open(hex(key), hex(nonce), hex(ad), hex(sealed))
      expect(opened && toHex(opened)).toBe(valid ? plaintext : undefined)
      expect(toHex(seal(hex(key), hex(nonce), hex(ad), hex(plaintext))) === sealed).toBe(valid)
    }
  })
}
