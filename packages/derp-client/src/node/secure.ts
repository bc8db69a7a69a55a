// TLS with a relay, and what its failures are called.
import { once } from 'node:events'
import type { Socket } from 'node:net'
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'
import { systemCodeOf } from '@mesh/sansio/node'
import { DerpError } from '../errors.ts'
import type { RelayNode } from '../region.ts'
import { checkPin, verification } from './certificate.ts'

/** Speaks TLS on a socket and believes the other side as far as the map says so (C3). */
export async function secure(
  socket: Socket,
  node: RelayNode,
  extraRoots: readonly string[],
  signal: AbortSignal,
): Promise<TLSSocket> {
  const secured = connectTls({ socket, ...verification(node), secureContext: trust(extraRoots) })
  try {
    await once(secured, 'secureConnect', { signal })
  } catch (error) {
    secured.on('error', () => undefined)
    secured.destroy()
    signal.throwIfAborted()
    throw tlsError(node, error)
  }
  checkPin(node, secured)
  return secured
}

/** Tells whether TLS failed because the other side answered its hello with HTTP. */
export function isNotTls(error: unknown): boolean {
  const code = error instanceof DerpError ? systemCodeOf(error.cause) : ''
  return (
    code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG'
  )
}

const contexts = new WeakMap<readonly string[], SecureContext>()

// Node's own authorities, the system's (where an administrator puts a company's), and those of the caller. Reading them
// takes tens of milliseconds, so it is done once.
function trust(extraRoots: readonly string[]): SecureContext {
  const known = contexts.get(extraRoots)
  if (known !== undefined) return known
  const ca = new Set([...getCACertificates('default'), ...getCACertificates('system'), ...extraRoots])
  const context = createSecureContext({ ca: [...ca], minVersion: 'TLSv1.2' })
  contexts.set(extraRoots, context)
  return context
}

// System errors and those of the TLS protocol have names of these shapes; every other name is a verdict on the
// certificate.
function tlsError(node: RelayNode, cause: unknown): DerpError {
  const code = /^(E[A-Z]+|ERR_SSL_\w+)$/.test(systemCodeOf(cause)) ? 'ERR_DERP_TLS' : 'ERR_DERP_CERTIFICATE'
  const why = cause instanceof Error ? cause.message : String(cause)
  return new DerpError(code, `TLS with ${node.HostName} failed: ${why}`, { cause })
}
