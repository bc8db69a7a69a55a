// The certificate of the server: from two files, or from an authority. Renewed files are read again when the process is
// told to, and once an hour, because programs that renew certificates tell nobody.

import { readFileSync } from 'node:fs'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { type CertificateOrder, DIRECTORIES, keepCertificate, keptCertificate } from '@mesh/acme/node'
import type { ControlListener, ServerCertificate } from '@mesh/control-server/node'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { reasonOf } from '@mesh/sansio/node'
import { CommandError } from './command-error.ts'

/** What the flags say. */
export interface CertificateFlags {
  readonly stateDir: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly acmeHostname?: string
  readonly acmeEmail?: string
  readonly acmeDirectory?: string
  readonly acmeEabKid?: string
  readonly acmeEabKey?: string
}

/** How often the files are looked at, milliseconds. */
const LOOK_INTERVAL = 3600_000

/** Takes log lines. */
interface Logger {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Returns the certificate to begin with, or `undefined` when the flags want none. */
export function readCertificate(flags: CertificateFlags): ServerCertificate | undefined {
  const order = orderOf(flags)
  if (!order) return readFiles(flags)
  if (flags.tlsCert !== undefined || flags.tlsKey !== undefined)
    throw new CommandError('A certificate comes from --tls-cert, or by --acme-hostname, not from both.')
  try {
    // Until there is one, clients find a certificate that they refuse, and come again.
    return keptCertificate(order) ?? selfSignedCertificate(order.hostname)
  } catch (cause) {
    throw new CommandError(`${reasonOf(cause)}.`, { cause })
  }
}

/** Returns what is wanted of an authority; nothing when no name is said. */
function orderOf(flags: CertificateFlags): CertificateOrder | undefined {
  const { stateDir, acmeHostname: hostname, acmeEmail: email, acmeEabKid: kid, acmeEabKey: hmacKey } = flags
  if ((kid === undefined) !== (hmacKey === undefined))
    throw new CommandError('--acme-eab-kid and --acme-eab-key go together: give both.')
  if (hostname === undefined) return undefined
  const authority = {
    directoryUrl: flags.acmeDirectory ?? DIRECTORIES.letsencrypt,
    ...(email === undefined ? {} : { email }),
    ...(kid === undefined || hmacKey === undefined ? {} : { account: { kid, hmacKey } }),
  }
  return { hostname, directory: join(stateDir, 'acme'), authority }
}

function readFiles({ tlsCert, tlsKey }: CertificateFlags): ServerCertificate | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CommandError('--tls-cert and --tls-key go together: give both.')
  const [cert, key] = [read(tlsCert), read(tlsKey)]
  if (!belongTogether(cert, key))
    throw new CommandError(`${tlsCert} and ${tlsKey} are not a certificate and its private key, as PEM.`)
  return { cert, key }
}

/** Keeps the certificate fresh. Returns the way to stop. */
export function keepCertificateFresh(
  control: ControlListener,
  flags: CertificateFlags,
  logger: Logger,
): () => void {
  const order = orderOf(flags)
  const files = order ? undefined : readFiles(flags)
  if (files) return lookAtFiles(control, flags, files, logger)
  // Whoever has a service read anew what it can does not want it ended.
  process.on('SIGHUP', () => logger.info({}, 'there is no certificate file to be read again'))
  if (!order) return () => undefined
  const server = {
    setCertificate: (certificate: ServerCertificate) => control.renewCertificate(certificate),
    setChallenge: async (certificate: ServerCertificate | undefined) => control.setChallenge(certificate),
  }
  return keepCertificate({ ...order, server, say: (line) => logger.info({}, line) })
}

/** Reads the files again on SIGHUP and now and then; ones that cannot be used leave the old certificate in place. */
function lookAtFiles(
  control: ControlListener,
  flags: CertificateFlags,
  first: ServerCertificate,
  logger: Logger,
): () => void {
  let current = first
  const look = (): void => {
    try {
      const found = readFiles(flags)
      if (!found || found.cert === current.cert) return
      control.renewCertificate(found)
      current = found
      logger.info({}, 'certificate renewed')
    } catch (error) {
      logger.error({ error: reasonOf(error) }, 'the certificate was not renewed')
    }
  }
  process.on('SIGHUP', look)
  const timer = setInterval(look, LOOK_INTERVAL).unref()
  return () => clearInterval(timer)
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CommandError(`${path} cannot be read: ${reasonOf(cause)}.`, { cause })
  }
}

function belongTogether(cert: string, key: string): boolean {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}
