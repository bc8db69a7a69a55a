// The crypto seat on node:crypto, where OpenSSL does the work. Two things it cannot do are left to noble: BLAKE2s
// with a key or a short digest, and XChaCha20. Keys are wrapped in DER prefixes, because OpenSSL takes them only so,
// and the wrapped form of a long-lived key is remembered: wrapping costs twice what the agreement does.
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hash,
  type KeyObject,
} from 'node:crypto'
import { type Crypto, constantTimeEqual, TAG_LENGTH } from '../crypto.ts'
import { nobleCrypto } from '../noble-crypto.ts'

/** PKCS#8 around a raw X25519 private key (RFC 8410). */
const PRIVATE_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b656e04220420', 'hex'))
/** SubjectPublicKeyInfo around a raw X25519 public key (RFC 8410). */
const PUBLIC_PREFIX = Uint8Array.from(Buffer.from('302a300506032b656e032100', 'hex'))

const AEAD = 'chacha20-poly1305'
const AEAD_OPTIONS = { authTagLength: TAG_LENGTH }

/** Crypto by `node:crypto`: X25519 in about 40 µs, a sealed packet in about 5 µs. */
export const nodeCrypto: Crypto = {
  name: 'node',
  x25519(privateKey, publicKey) {
    try {
      const keys = { privateKey: privateKeys.get(privateKey), publicKey: publicKeys.get(publicKey) }
      return plain(diffieHellman(keys))
    } catch {
      return undefined // OpenSSL refuses an all-zero secret by throwing
    }
  },
  x25519Public(privateKey) {
    // Of the forms of a public key this is the one that OpenSSL writes fast.
    const { x = '' } = createPublicKey(privateKeys.get(privateKey)).export({ format: 'jwk' })
    return Uint8Array.from(Buffer.from(x, 'base64url'))
  },
  blake2s(data, options) {
    if (options !== undefined) return nobleCrypto.blake2s(data, options)
    return plain(hash('blake2s256', data, 'buffer'))
  },
  hmac(key, data) {
    return plain(createHmac('blake2s256', key).update(data).digest())
  },
  seal(key, nonce, ad, plaintext, into = new Uint8Array(plaintext.length + TAG_LENGTH)) {
    if (into.length !== plaintext.length + TAG_LENGTH) throw new RangeError('into: must be 16 bytes longer')
    const cipher = createCipheriv(AEAD, key, nonce, AEAD_OPTIONS)
    if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.length })
    into.set(cipher.update(plaintext))
    cipher.final()
    into.set(cipher.getAuthTag(), plaintext.length)
    return into
  },
  open(key, nonce, ad, sealed, into) {
    const length = sealed.length - TAG_LENGTH
    if (length < 0) return undefined
    if (into !== undefined && into.length !== length) throw new RangeError('into: must be 16 bytes shorter')
    const decipher = createDecipheriv(AEAD, key, nonce, AEAD_OPTIONS)
    if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length })
    decipher.setAuthTag(sealed.subarray(length))
    const opened = decipher.update(sealed.subarray(0, length))
    try {
      decipher.final()
    } catch {
      return undefined
    }
    if (into === undefined) return plain(opened)
    into.set(opened)
    return into
  },
  xseal: (key, nonce, ad, plaintext) => nobleCrypto.xseal(key, nonce, ad, plaintext),
  xopen: (key, nonce, ad, sealed) => nobleCrypto.xopen(key, nonce, ad, sealed),
}

/** Remembers the wrapped form of a key for as long as its array lives, and notices when the array has changed. */
class WrappedKeys {
  readonly #known = new WeakMap<Uint8Array, { raw: Uint8Array; wrapped: KeyObject }>()
  readonly #wrap: (raw: Uint8Array) => KeyObject

  constructor(wrap: (raw: Uint8Array) => KeyObject) {
    this.#wrap = wrap
  }

  get(key: Uint8Array): KeyObject {
    const known = this.#known.get(key)
    if (known !== undefined && constantTimeEqual(known.raw, key)) return known.wrapped
    const wrapped = this.#wrap(key)
    this.#known.set(key, { raw: Uint8Array.from(key), wrapped })
    return wrapped
  }
}

const privateKeys = new WrappedKeys((raw) => {
  const der = Buffer.concat([PRIVATE_PREFIX, raw])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return key
})

const publicKeys = new WrappedKeys((raw) =>
  createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: 'der', type: 'spki' }),
)

/** A Buffer seen as the plain array the seat promises. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}
