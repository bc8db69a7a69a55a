// The two certificates that a relay makes for itself. The meta certificate tells clients the relay's key inside
// the TLS handshake, so that they need not wait for an HTTP answer (data-plane §2.2, §2.3); its 71-character name
// is longer than X.520 allows, so most tools refuse to make it. The self-signed one is for relays without a
// domain: clients trust it by its hash, written in the DERP map.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'
import { formatHexKey } from '@mesh/keys'
import { parseAddress } from '@mesh/wire/ip'
import { bitString, der, integer, octetString, oid, sequence, time, utf8 } from './der.ts'

/** How the meta certificate's name begins; the relay's public key in hex follows. */
export const META_CERTIFICATE_PREFIX = 'derpkey'

/** The protocol version, told as the meta certificate's serial number. */
const PROTOCOL_VERSION = 2

const DAY = 86_400_000

/** A certificate with its private key, both PEM. */
export interface CertificatePair {
  /** The certificate. */
  readonly cert: string
  /** The private key, PKCS#8: a secret. */
  readonly key: string
}

/**
 * Returns the meta certificate of a relay, PEM: to be appended as the last of the chain that the TLS server
 * presents. It is valid for 30 days around now, which no client checks; its private key is thrown away.
 *
 * @param publicKey - The relay's public key, 32 bytes.
 */
export function metaCertificate(publicKey: Uint8Array, now: Date = new Date()): string {
  const keys = generateKeyPairSync('ed25519')
  return selfSign({
    serial: Buffer.from([PROTOCOL_VERSION]),
    commonName: META_CERTIFICATE_PREFIX + formatHexKey(publicKey),
    notBefore: new Date(now.getTime() - 30 * DAY),
    notAfter: new Date(now.getTime() + 30 * DAY),
    extensions: [basicConstraints()],
    algorithm: oid('ed25519'),
    publicKey: keys.publicKey,
    sign: (body) => sign(null, body, keys.privateKey),
  })
}

/**
 * Returns a new self-signed certificate (ECDSA P-256) for a name or an address, valid for ten years.
 *
 * @param hostname - What clients dial; it becomes the certificate's name.
 */
export function selfSignedCertificate(hostname: string, now: Date = new Date()): CertificatePair {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const cert = selfSign({
    serial: randomBytes(16),
    commonName: hostname,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 3650 * DAY),
    extensions: [basicConstraints(), serverAuth(), subjectAltName(hostname)],
    algorithm: oid('ecdsaWithSha256'),
    publicKey: keys.publicKey,
    sign: (body) => sign('sha256', body, keys.privateKey),
  })
  return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) }
}

/**
 * Returns what to write as `CertName` into the DERP map so that clients trust exactly this certificate:
 * `sha256-raw:` and the hex SHA-256 of its DER bytes.
 */
export function certificatePin(raw: Uint8Array): string {
  return `sha256-raw:${createHash('sha256').update(raw).digest('hex')}`
}

interface Template {
  readonly serial: Uint8Array
  readonly commonName: string
  readonly notBefore: Date
  readonly notAfter: Date
  readonly extensions: readonly Buffer[]
  readonly algorithm: Buffer
  readonly publicKey: KeyObject
  readonly sign: (body: Uint8Array) => Buffer
}

// Certificate and TBSCertificate of RFC 5280 section 4.1.
function selfSign(template: Template): string {
  const algorithm = sequence(template.algorithm)
  const name = sequence(der(0x31, sequence(oid('commonName'), utf8(template.commonName))))
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(template.serial),
    algorithm,
    name,
    sequence(time(template.notBefore), time(template.notAfter)),
    name,
    template.publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...template.extensions)),
  )
  return pem(sequence(body, algorithm, bitString(template.sign(body))))
}

// Critical, and not a CA: an empty sequence.
function basicConstraints(): Buffer {
  return sequence(oid('basicConstraints'), der(0x01, Buffer.from([0xff])), octetString(sequence()))
}

function serverAuth(): Buffer {
  return sequence(oid('extKeyUsage'), octetString(sequence(oid('serverAuth'))))
}

function subjectAltName(hostname: string): Buffer {
  const address = isIP(hostname) === 0 ? undefined : parseAddress(hostname)
  const name = address === undefined ? der(0x82, Buffer.from(hostname)) : der(0x87, address)
  return sequence(oid('subjectAltName'), octetString(sequence(name)))
}

function pem(raw: Buffer): string {
  const lines = raw.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
