// The certificate of the TLS server: an administrator's, one that an authority gives by ACME, or one that the relay makes
// for itself and that clients trust by its hash.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { dirname, join } from 'node:path'
import {
  type CertificateHolder,
  type CertificateOrder,
  keepCertificate,
  keptCertificate,
} from '@mesh/acme/node'
import { type CertificatePair, certificatePin, selfSignedCertificate } from '@mesh/derp-server/node'
import { createFile, type MakeFile, readIfThere, reasonOf } from '@mesh/sansio/node'
import { authorityOf } from './authority.ts'
import { Failure, USAGE } from './failure.ts'
import type { Settings } from './settings.ts'

/** A certificate in use. */
export interface Certificate extends CertificatePair {
  /** What the DERP map must say for it: `sha256-raw:…`; absent when authorities vouch for it. */
  readonly pin?: string
}

/** Where certificates come from. */
export interface CertificateSource {
  /** Returns the certificate to present now, read anew. Throws Failure when there is none that could be. */
  load(): Certificate
  /** Keeps a server's certificate fresh; returns the way to stop. Absent where nobody but an administrator renews it. */
  keepFresh?(server: CertificateHolder, say: (line: string) => void): () => void
}

/** Returns where the settings say that certificates come from. One of the relay's own that is missing is made by `make`. */
export function certificateSource(settings: Settings, make: MakeFile = createFile): CertificateSource {
  const directory = settings.certdir ?? (settings.c === undefined ? undefined : dirname(settings.c))
  const hostname = hostnameOf(settings)
  switch (settings.certmode) {
    case 'manual':
      if (directory === undefined) throw new Failure('Say by --certdir where the certificate is.', USAGE)
      return { load: () => manualCertificate(hostname, directory) }
    case 'self-signed': {
      const own = ownCertificate(hostname, directory, make)
      return { load: () => (directory === undefined ? own : ownCertificate(hostname, directory, make)) }
    }
    case 'letsencrypt':
    case 'gcp':
      return acmeSource(settings, directory)
  }
}

/** Returns what clients dial, as far as the settings tell. */
export function hostnameOf({ hostname, a }: Settings): string {
  if (hostname !== undefined) return hostname
  return a.host === '' || a.host === '0.0.0.0' || a.host === '::' ? 'localhost' : a.host
}

function acmeSource(settings: Settings, directory: string | undefined): CertificateSource {
  const { hostname } = settings
  if (hostname === undefined || isIP(hostname) !== 0 || !hostname.includes('.'))
    throw new Failure(
      `An authority gives certificates to names: say by --hostname which, or use --certmode self-signed.`,
      USAGE,
    )
  if (directory === undefined) throw new Failure('Say by --certdir where to keep the certificate.', USAGE)
  const order = { hostname, directory, authority: authorityOf(settings) }
  // Until there is one, clients find a certificate that they refuse, and come again.
  const stopgap = selfSignedCertificate(hostname)
  return {
    load: () => kept(order) ?? stopgap,
    keepFresh: (server, say) => keepCertificate({ ...order, server, say }),
  }
}

function kept(order: CertificateOrder): CertificatePair | undefined {
  try {
    return keptCertificate(order)
  } catch (cause) {
    throw new Failure(`${reasonOf(cause)}.`, undefined, { cause })
  }
}

function manualCertificate(hostname: string, directory: string): Certificate {
  const [certPath, keyPath] = filesOf(hostname, directory)
  const cert = mustRead(certPath)
  const key = mustRead(keyPath)
  check(cert, key, certPath)
  return { cert, key }
}

// Made when missing; without a directory, a new one each time.
function ownCertificate(hostname: string, directory: string | undefined, make: MakeFile): Certificate {
  const pair =
    directory === undefined ? selfSignedCertificate(hostname) : signedCertificate(hostname, directory, make)
  return { ...pair, pin: certificatePin(new X509Certificate(pair.cert).raw) }
}

// The key goes first: a certificate without its key would be of no use, a key without certificate is found below.
function signedCertificate(hostname: string, directory: string, make: MakeFile): CertificatePair {
  const [certPath, keyPath] = filesOf(hostname, directory)
  try {
    if (readIfThere(certPath) === undefined && readIfThere(keyPath) === undefined) {
      const pair = selfSignedCertificate(hostname)
      if (make(keyPath, pair.key) && make(certPath, pair.cert)) return pair
    }
  } catch (cause) {
    throw new Failure(`The certificate ${certPath} cannot be made: ${reasonOf(cause)}.`, undefined, { cause })
  }
  return manualCertificate(hostname, directory)
}

function filesOf(hostname: string, directory: string): [string, string] {
  return [join(directory, `${hostname}.crt`), join(directory, `${hostname}.key`)]
}

function mustRead(path: string): string {
  try {
    const contents = readIfThere(path)
    if (contents !== undefined) return contents
  } catch (cause) {
    throw new Failure(`${path} cannot be read: ${reasonOf(cause)}.`, undefined, { cause })
  }
  throw new Failure(`There is no ${path}.`)
}

function check(cert: string, key: string, certPath: string): void {
  let fits: boolean
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch (cause) {
    throw new Failure(`${certPath} and the key beside it are no certificate and key in PEM.`, undefined, {
      cause,
    })
  }
  if (!fits) throw new Failure(`${certPath} and the key beside it do not belong together.`)
}
