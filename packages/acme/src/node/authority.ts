// The authorities that give certificates by ACME (RFC 8555), and what they give.

/** Whom to ask, and as whom. */
export interface Authority {
  /** The URL of its ACME directory. */
  readonly directoryUrl: string
  /** Whom it may write to. */
  readonly email?: string
  /** The account with it that exists already: a key ID and an HMAC key in base64. */
  readonly account?: { readonly kid: string; readonly hmacKey: string }
}

/** A certificate and its private key, PEM. */
export interface CertificatePair {
  /** The certificate, then those between it and its authority. */
  readonly cert: string
  /** The private key of the first. */
  readonly key: string
}

/** The ACME directories of well-known authorities. */
export const DIRECTORIES = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  gcp: 'https://dv.acme-v02.api.pki.goog/directory',
} as const
