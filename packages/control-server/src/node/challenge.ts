// The proof that an authority of certificates asks for (tls-alpn-01, RFC 8737), given beside the usual work.

import { createSecureContext } from 'node:tls'
import type { SecureContext, TLSSocket, TlsOptions } from 'node:tls'

/** The protocol in which authorities ask for proof (RFC 8737 section 6.2). */
const ACME_TLS = 'acme-tls/1'

/** Presents a proof while there is one. */
export class Challenge {
  #proof: SecureContext | undefined

  /** What a TLS server is to be made with. */
  readonly options: Pick<TlsOptions, 'ALPNCallback'>

  constructor() {
    const proof = (): SecureContext | undefined => this.#proof
    this.options = {
      ALPNCallback(this: TLSSocket, { protocols }) {
        const certificate = proof()
        if (!certificate || protocols.join() !== ACME_TLS)
          return protocols.find((each) => each === 'http/1.1')
        this.setKeyCert(certificate)
        return ACME_TLS
      },
    }
  }

  /** Presents this certificate to who asks for nothing but proof; to nobody when left out. */
  set(certificate: { readonly cert: string; readonly key: string } | undefined): void {
    this.#proof = certificate && createSecureContext(certificate)
  }
}
