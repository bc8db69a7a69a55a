/**
 * What every filling of the crypto seat must pass: published vectors, refusals, and what is done with lent buffers.
 *
 * @packageDocumentation
 */
import type { Crypto } from '../crypto.ts'

/** One clause of a contract: its name is a sentence, `run` throws when it is broken. */
export interface ContractCase {
  /** What the filling does. */
  readonly name: string
  /** Tries it; throws an `Error` that says what was expected. */
  run(crypto: Crypto): void
}

const NOTHING = new Uint8Array(0)
const KEY = counting(32, 0x80)
const NONCE = hex('070000004041424344454647')
const AD = hex('50515253c0c1c2c3c4c5c6c7')
const SUNSCREEN = new TextEncoder().encode(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
)

/** The clauses. Run each under your test runner: `for (const c of cryptoContract) test(c.name, () => c.run(crypto))`. */
export const cryptoContract: readonly ContractCase[] = [
  {
    name: 'agrees as in RFC 7748 section 6.1',
    run(crypto) {
      const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
      const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb')
      const bobPublic = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'
      const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'
      same(crypto.x25519Public(bob), bobPublic)
      same(crypto.x25519(alice, hex(bobPublic)), shared)
      same(crypto.x25519(bob, crypto.x25519Public(alice)), shared)
    },
  },
  {
    name: 'takes an unclamped private key, as RFC 7748 section 5.2 does',
    run(crypto) {
      const scalar = hex('a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4')
      const point = hex('e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c')
      same(crypto.x25519(scalar, point), 'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552')
    },
  },
  {
    name: 'returns undefined where the secret would be all zero',
    run(crypto) {
      const low = ['00'.repeat(32), `01${'00'.repeat(31)}`, `ed${'ff'.repeat(30)}7f`]
      low.push('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')
      low.push('5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157')
      for (const point of low) absent(crypto.x25519(KEY, hex(point)))
    },
  },
  {
    name: 'does not confuse two keys that an array held one after the other',
    run(crypto) {
      const key = counting(32, 1)
      const first = toHex(crypto.x25519Public(key))
      key.set(counting(32, 100))
      if (toHex(crypto.x25519Public(key)) === first) throw new Error('the key before was used')
      same(crypto.x25519Public(counting(32, 1)), first)
    },
  },
  {
    name: 'hashes "abc" with BLAKE2s as in RFC 7693 appendix B',
    run(crypto) {
      const abc = new TextEncoder().encode('abc')
      same(crypto.blake2s(abc), '508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982')
    },
  },
  {
    name: 'hashes with a key, and to 16 bytes, as WireGuard does (data-plane.md appendix A.1)',
    run(crypto) {
      same(
        crypto.blake2s(NOTHING, { key: counting(32, 0) }),
        '48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49',
      )
      const mac1Key = hex('4fb2527ac956001553dc1ad9b55171b7d9daa3de1cdbcd71451830170c7e6cac')
      const label = new TextEncoder().encode('mac1----')
      same(crypto.blake2s(Uint8Array.of(...label, ...counting(32, 0))), toHex(mac1Key))
      if (crypto.blake2s(NOTHING, { key: mac1Key, length: 16 }).length !== 16)
        throw new Error('want 16 bytes')
    },
  },
  {
    name: 'makes HMAC-BLAKE2s of RFC 2104, which is not keyed BLAKE2s',
    run(crypto) {
      const inner = crypto.blake2s(Uint8Array.of(...new Uint8Array(64).fill(0x36), 1, 2, 3))
      const outer = crypto.blake2s(Uint8Array.of(...new Uint8Array(64).fill(0x5c), ...inner))
      same(crypto.hmac(new Uint8Array(32), Uint8Array.of(1, 2, 3)), toHex(outer))
    },
  },
  {
    name: 'seals and opens the example of RFC 8439 section 2.8.2',
    run(crypto) {
      const sealed = crypto.seal(KEY, NONCE, AD, SUNSCREEN)
      same(sealed.subarray(0, 16), 'd31a8d34648e60db7b86afbc53ef7ec2')
      same(sealed.subarray(-16), '1ae10b594f09e26a7e902ecbd0600691')
      same(crypto.open(KEY, NONCE, AD, sealed), toHex(SUNSCREEN))
    },
  },
  {
    name: 'seals nothing at all to a bare tag, and opens it to an empty array',
    run(crypto) {
      const sealed = crypto.seal(KEY, NONCE, NOTHING, NOTHING)
      if (sealed.length !== 16) throw new Error('want 16 bytes')
      same(crypto.open(KEY, NONCE, NOTHING, sealed), '')
    },
  },
  {
    name: 'opens nothing that was changed or cut',
    run(crypto) {
      const sealed = crypto.seal(KEY, NONCE, AD, SUNSCREEN.subarray(0, 40))
      for (let i = 0; i < sealed.length; i++) {
        const changed = Uint8Array.from(sealed)
        changed[i] = (changed[i] ?? 0) ^ 0x10
        absent(crypto.open(KEY, NONCE, AD, changed))
        absent(crypto.open(KEY, NONCE, AD, sealed.subarray(0, i)))
      }
      absent(crypto.open(KEY, NONCE, NOTHING, sealed))
      absent(crypto.open(counting(32, 0), NONCE, AD, sealed))
    },
  },
  {
    name: 'seals into a lent buffer, in place too, and opens back in place',
    run(crypto) {
      const want = toHex(crypto.seal(KEY, NONCE, AD, SUNSCREEN))
      const buffer = new Uint8Array(7 + SUNSCREEN.length + 16)
      buffer.set(SUNSCREEN, 7)
      const sealed = buffer.subarray(7)
      const result = crypto.seal(KEY, NONCE, AD, buffer.subarray(7, 7 + SUNSCREEN.length), sealed)
      if (result !== sealed) throw new Error('want the lent buffer back')
      same(sealed, want)
      const plaintext = buffer.subarray(7, 7 + SUNSCREEN.length)
      if (crypto.open(KEY, NONCE, AD, sealed, plaintext) !== plaintext)
        throw new Error('want the lent buffer back')
      same(plaintext, toHex(SUNSCREEN))
    },
  },
  {
    name: 'leaves its arguments alone',
    run(crypto) {
      const sealed = crypto.seal(KEY, NONCE, AD, SUNSCREEN)
      const before = toHex(sealed)
      crypto.open(KEY, NONCE, AD, sealed)
      same(sealed, before)
      same(KEY, toHex(counting(32, 0x80)))
    },
  },
  {
    name: 'seals with XChaCha20-Poly1305 as in draft-irtf-cfrg-xchacha-03 appendix A.3.1',
    run(crypto) {
      const nonce = counting(24, 0x40)
      const sealed = crypto.xseal(KEY, nonce, AD, SUNSCREEN)
      same(sealed.subarray(0, 16), 'bd6d179d3e83d43b9576579493c0e939')
      same(sealed.subarray(-16), 'c0875924c1c7987947deafd8780acf49')
      same(crypto.xopen(KEY, nonce, AD, sealed), toHex(SUNSCREEN))
      absent(crypto.xopen(KEY, nonce, NOTHING, sealed))
      absent(crypto.xopen(KEY, nonce, AD, NOTHING))
    },
  },
]

function counting(length: number, from: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => from + i)
}

function same(got: Uint8Array | undefined, want: string): void {
  if (got === undefined || toHex(got) !== want) throw new Error(`want ${want}, got ${got && toHex(got)}`)
}

function absent(got: Uint8Array | undefined): void {
  if (got !== undefined) throw new Error(`want undefined, got ${toHex(got)}`)
}

function hex(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) =>
    Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  )
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
