// TLS for a relay: what its HTTPS server is to be told.
import { constants, randomBytes } from 'node:crypto'
import { DEFAULT_CIPHERS, type TlsOptions } from 'node:tls'
import { type CertificatePair, metaCertificate } from './certificates.ts'

/**
 * Key agreements, the preferred first. All clients offer X25519 straight away, so it costs no round trip. OpenSSL keeps
 * 10 KiB for every connection that agreed by ML-KEM, a sixth of what an idle client costs; what it would protect, from
 * those who record now and break X25519 later, is sealed a second time between the machines.
 */
const KEY_AGREEMENTS = 'X25519:prime256v1:X25519MLKEM768'

/**
 * AES-128 before AES-256, as derper has it: it is faster, takes 2 KiB less a connection, and nobody is known to break it.
 * A client that has no hardware for AES says ChaCha20 first, and gets that.
 */
const CIPHERS = `TLS_AES_128_GCM_SHA256:${DEFAULT_CIPHERS.replace('TLS_AES_128_GCM_SHA256:', '')}`

/** How long a TLS handshake may take. */
const HANDSHAKE_TIMEOUT = 30_000

/** What {@link relayTls} returns: plain values, to be passed to `https.createServer` and across threads. */
export interface RelayTls
  extends Pick<
    TlsOptions,
    | 'cert'
    | 'key'
    | 'minVersion'
    | 'handshakeTimeout'
    | 'ecdhCurve'
    | 'ciphers'
    | 'secureOptions'
    | 'ticketKeys'
  > {
  readonly ALPNProtocols: string[]
}

/**
 * Returns the options for the HTTPS server that a relay is mounted in: the certificate with the relay's key appended, so
 * that clients may skip a round trip (data-plane §2.2), and settings that keep an idle client small.
 *
 * @param certificate - The certificate, with its intermediates, and its key, both PEM.
 * @param publicKey - The relay's public key, 32 bytes.
 */
export function relayTls(certificate: CertificatePair, publicKey: Uint8Array): RelayTls {
  return {
    cert: `${certificate.cert.trimEnd()}\n${metaCertificate(publicKey)}`,
    key: certificate.key,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    ecdhCurve: KEY_AGREEMENTS,
    ciphers: CIPHERS,
    secureOptions: constants.SSL_OP_PRIORITIZE_CHACHA,
    ticketKeys: randomBytes(48),
  }
}
