// The certificate of the TLS server: an administrator's, or one that the relay makes for itself and that clients
// trust by its hash.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { type CertificatePair, certificatePin, selfSignedCertificate } from '@mesh/derp-server/node'
import { Failure, reasonOf } from './failure.ts'
import { createPrivateFile, readIfThere } from './private-file.ts'

/** A certificate in use. */
export interface Certificate extends CertificatePair {
  /** What the DERP map must say for it: `sha256-raw:…`; absent when authorities vouch for it. */
  readonly pin?: string
}

/** Returns `HOSTNAME.crt` and `HOSTNAME.key` of a directory. */
export function manualCertificate(hostname: string, directory: string): Certificate {
  const [certPath, keyPath] = filesOf(hostname, directory)
  const cert = mustRead(certPath)
  const key = mustRead(keyPath)
  check(cert, key, certPath)
  return { cert, key }
}

/** Returns the relay's own certificate for `hostname`, made when missing; without a directory, a new one each time. */
export function ownCertificate(hostname: string, directory: string | undefined): Certificate {
  const pair =
    directory === undefined ? selfSignedCertificate(hostname) : keptCertificate(hostname, directory)
  return { ...pair, pin: certificatePin(new X509Certificate(pair.cert).raw) }
}

// The key goes first: a certificate without its key would be of no use, a key without certificate is found below.
function keptCertificate(hostname: string, directory: string): CertificatePair {
  const [certPath, keyPath] = filesOf(hostname, directory)
  try {
    if (readIfThere(certPath) === undefined && readIfThere(keyPath) === undefined) {
      const pair = selfSignedCertificate(hostname)
      if (createPrivateFile(keyPath, pair.key)) createPrivateFile(certPath, pair.cert)
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
