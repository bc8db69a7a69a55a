// Which certificate to believe. The DERP map may name another host than the one dialled, or pin one certificate
// by its hash; the extra certificate in which relays announce their key never counts (data-plane §2.2).
import { createHash, type X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { parseHexKey } from '@mesh/keys'
import { DERP_VERSION } from '@mesh/wire/derp'
import { DerpError } from '../errors.ts'
import type { RelayNode } from '../region.ts'

/** How the name of the certificate begins in which a relay announces its key. */
const META_CERTIFICATE_PREFIX = 'derpkey'

const PIN_PREFIX = 'sha256-raw:'

/** Returns the TLS options that verify a node's certificate, as far as OpenSSL can do it. */
export function verification(node: RelayNode): ConnectionOptions {
  // TLS forbids addresses as server names.
  const options: ConnectionOptions = isIP(node.HostName) === 0 ? { servername: node.HostName } : {}
  if (node.InsecureForTests || pinOf(node) !== undefined) return { ...options, rejectUnauthorized: false }
  const name = node.CertName || node.HostName
  return {
    ...options,
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(name, certificate),
  }
}

/**
 * Checks the pin of a node that has one: exactly one certificate besides the relay's own announcement, with this
 * hash, for the name dialled if it was a name, and valid today.
 *
 * @throws DerpError with `ERR_DERP_CERTIFICATE`.
 */
export function checkPin(node: RelayNode, socket: TLSSocket, now: Date = new Date()): void {
  const pin = pinOf(node)
  if (pin === undefined || node.InsecureForTests) return
  const presented = chainOf(socket).filter((one) => !one.subject?.includes(`CN=${META_CERTIFICATE_PREFIX}`))
  const [certificate] = presented
  if (certificate === undefined) throw mistrust('the relay presented no certificate')
  if (presented.length > 1) throw mistrust('the relay presented more than the pinned certificate')
  const hash = createHash('sha256').update(certificate.raw).digest('hex')
  if (hash !== pin) throw mistrust('the certificate is not the pinned one')
  if (isIP(node.HostName) === 0 && certificate.checkHost(node.HostName) === undefined) {
    throw mistrust(`the certificate is not for ${node.HostName}`)
  }
  if (now < certificate.validFromDate || now > certificate.validToDate) {
    throw mistrust(`the certificate is valid from ${certificate.validFrom} to ${certificate.validTo} only`)
  }
}

/**
 * Returns the relay's key as its certificates announce it: in the name of one whose serial number is the protocol
 * version. Absent without TLS 1.3, under which nobody on the way can see or change it.
 */
export function announcedKey(socket: TLSSocket): Uint8Array | undefined {
  if (socket.getProtocol() !== 'TLSv1.3') return undefined
  for (const certificate of chainOf(socket)) {
    const [, hex] = /^CN=derpkey([0-9a-f]{64})$/m.exec(certificate.subject ?? '') ?? []
    if (hex !== undefined && Number.parseInt(certificate.serialNumber, 16) === DERP_VERSION)
      return parseHexKey(hex)
  }
  return undefined
}

function pinOf(node: RelayNode): string | undefined {
  return node.CertName?.startsWith(PIN_PREFIX)
    ? node.CertName.slice(PIN_PREFIX.length).toLowerCase()
    : undefined
}

// Node hides certificates that are not part of the issuer chain from getPeerCertificate, but this walk shows
// every one that was presented, in order.
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = []
  let next = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length < MAX_CHAIN) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

const MAX_CHAIN = 16

function mistrust(message: string): DerpError {
  return new DerpError('ERR_DERP_CERTIFICATE', message)
}
