// Keeps a certificate of an ACME authority in a file and in the TLS server, and renews it in time. The account's key and
// the certificate with its own stay in one folder, readable by nobody else.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Authority, CertificatePair } from './authority.ts'
import { createPrivateFile, readIfThere, replacePrivateFile } from './private-file.ts'
import { reasonOf } from './reason.ts'
import { LOOK_AGAIN, renewalTime, retryDelay } from './renewal.ts'

/** Which certificate, from whom, and where it is kept. */
export interface CertificateOrder {
  /** The name in it. Its port 443 must lead to the server. */
  readonly hostname: string
  /** The folder it is kept in. */
  readonly directory: string
  /** Who gives it. */
  readonly authority: Authority
}

/** What of a TLS server is needed to get a certificate, and to present it. */
export interface CertificateHolder {
  /** Presents this certificate from now on. */
  setCertificate(certificate: CertificatePair): unknown
  /** Presents this one to who asks for `acme-tls/1` alone (RFC 8737), until called with `undefined`. */
  setChallenge(certificate: CertificatePair | undefined): Promise<void>
}

/** Who gets the certificate. */
export interface Keeping extends CertificateOrder {
  /** The server. */
  readonly server: CertificateHolder
  /** Is told what people should know. */
  readonly say: (line: string) => void
}

/**
 * Returns the certificate that is kept, if there is one and its parts belong together.
 *
 * @throws Error when the file is there and cannot be read, with a sentence without its full stop.
 */
export function keptCertificate(order: CertificateOrder): CertificatePair | undefined {
  const path = certificatePath(order)
  let text: string | undefined
  try {
    text = readIfThere(path)
  } catch (cause) {
    throw new Error(`${path} cannot be read: ${reasonOf(cause)}`, { cause })
  }
  return text === undefined ? undefined : pairIn(text)
}

/** Obtains a certificate when there is none, and the next ones in time. Returns the way to stop. */
export function keepCertificate(keeping: Keeping): () => void {
  const over = new AbortController()
  void keep(keeping, over.signal)
  return () => over.abort()
}

async function keep(keeping: Keeping, signal: AbortSignal): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    let wait: number
    try {
      if (untilRenewal(keeping) <= 0) await renew(keeping)
      failures = 0
      wait = Math.min(untilRenewal(keeping), LOOK_AGAIN)
    } catch (error) {
      failures += 1
      wait = retryDelay(failures, Math.random())
      const { hostname, authority, say } = keeping
      say(
        `no certificate for ${hostname} from ${nameOf(authority)}: ${reasonOf(error)}; it will be tried again`,
      )
    }
    await rest(wait, signal)
  }
}

function untilRenewal(keeping: Keeping): number {
  const pair = keptCertificate(keeping)
  return pair === undefined ? 0 : renewalTime(new X509Certificate(pair.cert)) - Date.now()
}

async function rest(duration: number, signal: AbortSignal): Promise<void> {
  await sleep(duration, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

async function renew({ hostname, directory, authority, server, say }: Keeping): Promise<void> {
  // Only servers that need a certificate of this kind pay for loading it.
  const { obtainCertificate } = await import('./obtain.ts')
  const pair = await obtainCertificate({
    hostname,
    authority,
    accountKey: (make) => accountKey(join(directory, 'acme-account.key'), make),
    answer: (challenge) => server.setChallenge(challenge),
  })
  replacePrivateFile(certificatePath({ hostname, directory }), `${pair.key.trim()}\n${pair.cert.trim()}\n`)
  server.setCertificate(pair)
  const certificate = new X509Certificate(pair.cert)
  say(`got a certificate for ${hostname} from ${nameOf(authority)}, valid until ${certificate.validTo}`)
  // Or it would be asked for one after the other.
  if (renewalTime(certificate) <= Date.now())
    throw new Error('it is due to be renewed already, so one of the two clocks must be wrong')
}

async function accountKey(path: string, make: () => Promise<string>): Promise<string> {
  const kept = readIfThere(path)
  if (kept !== undefined) return kept
  const fresh = await make()
  return createPrivateFile(path, fresh) ? fresh : (readIfThere(path) ?? fresh)
}

function nameOf({ directoryUrl }: Authority): string {
  return new URL(directoryUrl).host
}

function certificatePath({ hostname, directory }: Omit<CertificateOrder, 'authority'>): string {
  return join(directory, `${hostname}.acme.pem`)
}

// One file, so that key and certificate change together. One that somebody damaged is as good as none.
function pairIn(text: string): CertificatePair | undefined {
  const [key] = /-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----\n/s.exec(text) ?? []
  const cert = key === undefined ? '' : text.replace(key, '')
  try {
    if (key === undefined || !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      return undefined
    return { key, cert }
  } catch {
    return undefined
  }
}
