// The HTTPS server, whose certificate may change while it serves.
import type { RequestListener, Server } from 'node:http'
import { createServer } from 'node:https'
import { createSecureContext, type SecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import { type CertificatePair, metaCertificate } from '@mesh/derp-server/node'

/** TLS handshakes are given up after so long. */
const HANDSHAKE_TIMEOUT = 30_000

/** The protocol in which authorities ask for proof (RFC 8737 section 6.2). */
const ACME_TLS = 'acme-tls/1'

/** An HTTPS server. */
export interface TlsServer {
  readonly server: Server
  /** From the next handshake on, presents another certificate. */
  present(certificate: CertificatePair): void
  /** Presents this one to who asks for nothing but a proof that the name is this relay's; nothing ends that. */
  challenge(certificate: CertificatePair | undefined): void
}

/** Makes a server that presents a certificate, and behind it the one in which the relay announces its key. */
export function createTlsServer(
  certificate: CertificatePair,
  publicKey: Uint8Array,
  answer: RequestListener,
): TlsServer {
  let proof: SecureContext | undefined
  const server = createServer(
    {
      ...contextOf(certificate, publicKey),
      handshakeTimeout: HANDSHAKE_TIMEOUT,
      ALPNCallback(this: TLSSocket, { protocols }) {
        if (proof !== undefined && protocols.length === 1 && protocols[0] === ACME_TLS) {
          this.setKeyCert(proof)
          return ACME_TLS
        }
        return protocols.find((protocol) => protocol === 'http/1.1')
      },
    },
    answer,
  )
  return {
    server,
    present: (next) => server.setSecureContext(contextOf(next, publicKey)),
    challenge: (next) => {
      proof = next && createSecureContext(next)
    },
  }
}

// The relay's key rides along as the last certificate, so that clients may skip a round trip (data-plane §2.2).
function contextOf({ cert, key }: CertificatePair, publicKey: Uint8Array): SecureContextOptions {
  const whole = cert.endsWith('\n') ? cert : `${cert}\n`
  return { cert: whole + metaCertificate(publicKey), key, minVersion: 'TLSv1.2' }
}
