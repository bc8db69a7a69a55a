// The address of a control server as a person writes it, checked once.

/** A control server's address, taken apart. */
export interface ServerUrl {
  /** The address without slashes at its end. */
  readonly text: string
  /** Whether TLS is spoken. */
  readonly secure: boolean
  /** The name or address to dial, without brackets. */
  readonly host: string
  /** The port to dial. */
  readonly port: number
  /** The name and port as an HTTP authority. */
  readonly authority: string
  /** The path in front of every path, without a slash at its end; usually empty. */
  readonly basePath: string
}

/**
 * Returns the address taken apart.
 *
 * @throws TypeError when it is not an http or https address.
 */
export function parseServerUrl(text: string): ServerUrl {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new TypeError(`serverUrl: "${text}" is not a http:// or https:// address`)
  }
  const secure = url.protocol === 'https:'
  const basePath = url.pathname.replace(/\/+$/, '')
  return {
    text: `${url.origin}${basePath}`,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    authority: url.host,
    basePath,
  }
}
