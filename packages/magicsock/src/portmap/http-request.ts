// What UPnP asks of a gateway over HTTP, as data: the shell fetches, and decides nothing but what is set here.
import { type Endpoint, formatAddress, type IpAddress, parseAddress } from '@mesh/wire/ip'

/** A request to a gateway. Whoever performs it follows no redirect. */
export interface GatewayRequest {
  readonly method: 'GET' | 'POST'
  /** Where to connect: an address, so that nothing is looked up. */
  readonly to: Endpoint
  /** Path and query, beginning with a slash. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** An answer longer than this counts as none. */
  readonly maxLength: number
  /** Milliseconds within which the whole answer must be there. */
  readonly timeout: number
}

/** What came back. */
export interface GatewayResponse {
  readonly status: number
  readonly body: string
}

/** Where something is at a gateway. */
export interface GatewayUrl {
  readonly to: Endpoint
  readonly path: string
}

/** No description or answer that a gateway has reason to give is longer. */
export const MAX_RESPONSE_LENGTH = 64 * 1024
/** How long an answer may take. */
export const RESPONSE_TIMEOUT = 1_000

const HTTP_URL = /^http:\/\/([0-9.]{7,15})(?::(\d{1,5}))?(\/[\x21-\x7e]*)?$/i
const PATH = /^[\x21-\x7e]*$/

/**
 * Reads a URL that some device has told, or returns `undefined` unless it is plain HTTP at the gateway's own address,
 * written as a number: whoever answers must not send us anywhere else (threat 13).
 */
export function gatewayUrl(text: string, gateway: IpAddress): GatewayUrl | undefined {
  const [, host = '', port = '80', path = '/'] = HTTP_URL.exec(text.trim()) ?? []
  const address = parseAddress(host)
  const number = Number(port)
  if (address === undefined || formatAddress(address) !== formatAddress(gateway)) return undefined
  return number < 1 || number > 0xffff ? undefined : { to: { address, port: number }, path }
}

/** Reads what a description says of where a service is: a whole URL at the gateway, or a path beside the description. */
export function relativeGatewayUrl(text: string, base: GatewayUrl): GatewayUrl | undefined {
  const reference = text.trim()
  if (reference === '' || !PATH.test(reference) || reference.startsWith('//')) return undefined
  if (/^[a-z][a-z0-9+.-]*:/i.test(reference)) return gatewayUrl(reference, base.to.address)
  if (reference.startsWith('/')) return { to: base.to, path: reference }
  const folder = base.path.replace(/[?#].*$/, '').replace(/[^/]*$/, '')
  return { to: base.to, path: `${folder}${reference}` }
}
