// The authorities that give certificates by ACME (RFC 8555).
import { Failure, USAGE } from './failure.ts'
import type { Settings } from './settings.ts'

/** Whom to ask, and as whom. */
export interface Authority {
  /** The URL of its ACME directory. */
  readonly directoryUrl: string
  /** Whom it may write to. */
  readonly email?: string
  /** The account with it that exists already: a key ID and an HMAC key in base64. */
  readonly account?: { readonly kid: string; readonly hmacKey: string }
}

const DIRECTORIES = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  gcp: 'https://dv.acme-v02.api.pki.goog/directory',
} as const

/** Returns the authority that the settings name. Throws Failure when it wants to know more. */
export function authorityOf(settings: Settings): Authority {
  const { acmeEmail, acmeEabKid: kid, acmeEabKey: hmacKey } = settings
  const mode = settings.certmode === 'gcp' ? 'gcp' : 'letsencrypt'
  if (mode === 'gcp' && (kid === undefined || hmacKey === undefined || acmeEmail === undefined))
    throw new Failure('--certmode gcp needs --acme-eab-kid, --acme-eab-key and --acme-email.', USAGE)
  if ((kid === undefined) !== (hmacKey === undefined))
    throw new Failure('--acme-eab-kid and --acme-eab-key go together.', USAGE)
  return {
    directoryUrl: settings.acmeDirectory ?? DIRECTORIES[mode],
    ...(acmeEmail === undefined ? {} : { email: acmeEmail }),
    ...(kid === undefined || hmacKey === undefined ? {} : { account: { kid, hmacKey } }),
  }
}
