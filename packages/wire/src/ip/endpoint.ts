// An address and a UDP or TCP port: where a packet goes to or came from.
import { type IpAddress, addressesEqual, formatAddress, parseAddress } from './address.ts'

/** An address and a port. */
export interface Endpoint {
  /** Where the host is. */
  readonly address: IpAddress
  /** The UDP or TCP port, 0 to 65535. */
  readonly port: number
}

const PORT = /^(0|[1-9]\d{0,4})$/

/**
 * Reads `1.2.3.4:5` or `[2001:db8::1]:5`, or returns `undefined`. Names, zones, signs and leading zeros are
 * refused; IPv6 must be in brackets and IPv4 must not.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  const colon = text.lastIndexOf(':')
  if (colon < 0) return undefined
  const [host, portText] = [text.slice(0, colon), text.slice(colon + 1)]
  const bracketed = host.startsWith('[') && host.endsWith(']')
  const inner = bracketed ? host.slice(1, -1) : host
  if (bracketed !== inner.includes(':')) return undefined
  const address = parseAddress(inner)
  if (!address || !PORT.test(portText) || Number(portText) > 65_535) return undefined
  return { address, port: Number(portText) }
}

/** Returns `1.2.3.4:5` or `[2001:db8::1]:5`. */
export function formatEndpoint(endpoint: Endpoint): string {
  const text = formatAddress(endpoint.address)
  return text.includes(':') ? `[${text}]:${endpoint.port}` : `${text}:${endpoint.port}`
}

/** Tells whether two endpoints are the same place. */
export function endpointsEqual(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && addressesEqual(a.address, b.address)
}
