// Keeps a certificate of an ACME authority in a file and in the TLS server, and renews it in time. The account's key and
// the certificate with its own stay in one folder, readable by nobody else.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createFile, makeFolder, readIfThere, replaceFile } from '@mesh/sansio/node'
import type { Authority, CertificatePair } from './authority.ts'
import type { Order } from './obtain.ts'
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
  const keeper = new Keeper(keeping)
  let failures = 0
  while (!signal.aborted) {
    let wait: number
    try {
      wait = await keeper.look()
      failures = 0
    } catch (error) {
      failures += 1
      wait = retryDelay(failures, Math.random())
      const { hostname, authority, say } = keeping
      const what = keeper.hasUnwritten
        ? `the certificate for ${hostname} is in use and cannot be kept`
        : `no certificate for ${hostname} from ${nameOf(authority)}`
      say(`${what}: ${reasonOf(error)}; it will be tried again`)
    }
    await rest(wait, signal)
  }
}

/** Looks at the calendar. */
export class Keeper {
  readonly #keeping: Keeping
  /** Given by the authority and in use, and not yet in its file: another is not asked for, because authorities count. */
  #unwritten: CertificatePair | undefined

  readonly #obtain: (order: Order) => Promise<CertificatePair>

  constructor(keeping: Keeping, obtain = obtainByAcme) {
    this.#keeping = keeping
    this.#obtain = obtain
  }

  /** Whether a certificate is in use that is not yet in its file. */
  get hasUnwritten(): boolean {
    return this.#unwritten !== undefined
  }

  /** Does what is due, and returns for how many milliseconds nothing is. Rejects when it cannot be done. */
  async look(): Promise<number> {
    if (this.#unwritten === undefined && this.#untilRenewal() <= 0) await this.#renew()
    if (this.#unwritten !== undefined) this.#write(this.#unwritten)
    return Math.min(this.#untilRenewal(), LOOK_AGAIN)
  }

  #untilRenewal(): number {
    const pair = keptCertificate(this.#keeping)
    return pair === undefined ? 0 : renewalTime(new X509Certificate(pair.cert)) - Date.now()
  }

  async #renew(): Promise<void> {
    const { hostname, directory, authority, server, say } = this.#keeping
    const pair = await this.#obtain({
      hostname,
      authority,
      accountKey: (make) => accountKey(join(directory, 'acme-account.key'), make),
      answer: (challenge) => server.setChallenge(challenge),
    })
    const certificate = checked(pair, hostname)
    server.setCertificate(pair)
    this.#unwritten = pair
    say(`got a certificate for ${hostname} from ${nameOf(authority)}, valid until ${certificate.validTo}`)
  }

  #write(pair: CertificatePair): void {
    makeFolder(this.#keeping.directory)
    replaceFile(certificatePath(this.#keeping), `${pair.key.trim()}\n${pair.cert.trim()}\n`)
    this.#unwritten = undefined
    // Or it would be asked for one after the other.
    if (this.#untilRenewal() <= 0)
      throw new Error('it is due to be renewed already, so one of the two clocks must be wrong')
  }
}

// Only servers that need a certificate of this kind pay for loading it.
async function obtainByAcme(order: Order): Promise<CertificatePair> {
  const { obtainCertificate } = await import('./obtain.ts')
  return obtainCertificate(order)
}

// What an authority gives takes the place of one that works.
function checked({ cert, key }: CertificatePair, hostname: string): X509Certificate {
  const certificate = readCertificate(cert)
  if (certificate?.checkPrivateKey(createPrivateKey(key)) !== true)
    throw new Error('what the authority gave is no certificate for the key that was asked for')
  if (certificate.checkHost(hostname) === undefined)
    throw new Error('what the authority gave is a certificate for another name')
  return certificate
}

function readCertificate(text: string): X509Certificate | undefined {
  try {
    return new X509Certificate(text)
  } catch {
    return undefined
  }
}

async function rest(duration: number, signal: AbortSignal): Promise<void> {
  await sleep(duration, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}

async function accountKey(path: string, make: () => Promise<string>): Promise<string> {
  const kept = readIfThere(path)
  if (kept !== undefined) return kept
  const fresh = await make()
  return createFile(path, fresh) ? fresh : (readIfThere(path) ?? fresh)
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
  if (key === undefined) return undefined
  const cert = text.replace(key, '')
  try {
    return readCertificate(cert)?.checkPrivateKey(createPrivateKey(key)) === true ? { key, cert } : undefined
  } catch {
    return undefined
  }
}
