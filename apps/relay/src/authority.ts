// The authority that the settings name.
import { type Authority, DIRECTORIES } from '@mesh/acme/node'
import { Failure, USAGE } from './failure.ts'
import type { Settings } from './settings.ts'

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
