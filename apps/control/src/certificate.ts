// The certificate of the server, from two files. Renewed files are read again when the process is told to, and once an
// hour, because programs that renew certificates tell nobody.

import { readFileSync } from 'node:fs'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ControlListener, ServerCertificate } from '@mesh/control-server/node'
import { CommandError, reasonOf } from './command-error.ts'

/** What the flags say. */
export interface CertificateFlags {
  readonly tlsCert?: string
  readonly tlsKey?: string
}

/** How often the files are looked at, milliseconds. */
const LOOK_INTERVAL = 3600_000

/** Takes log lines. */
interface Logger {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Returns the certificate the flags name, or `undefined` when they name none. */
export function readCertificate({ tlsCert, tlsKey }: CertificateFlags): ServerCertificate | undefined {
  if (tlsCert === undefined && tlsKey === undefined) return undefined
  if (tlsCert === undefined || tlsKey === undefined)
    throw new CommandError('--tls-cert and --tls-key go together: give both.')
  const [cert, key] = [read(tlsCert), read(tlsKey)]
  if (!belongTogether(cert, key))
    throw new CommandError(`${tlsCert} and ${tlsKey} are not a certificate and its private key, as PEM.`)
  return { cert, key }
}

/** Reads the files again on SIGHUP and now and then; ones that cannot be used leave the old certificate in place. */
export function keepCertificateFresh(
  control: ControlListener,
  flags: CertificateFlags,
  logger: Logger,
): void {
  let current = readCertificate(flags)
  if (!current) return
  const look = (): void => {
    try {
      const found = readCertificate(flags)
      if (!found || found.cert === current?.cert) return
      control.renewCertificate(found)
      current = found
      logger.info({}, 'certificate renewed')
    } catch (error) {
      logger.error({ error: reasonOf(error) }, 'the certificate was not renewed')
    }
  }
  process.on('SIGHUP', look)
  setInterval(look, LOOK_INTERVAL).unref()
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
