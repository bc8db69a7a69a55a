// The HTTP proxy between this machine and the internet: which one, as the environment says in the words that programs
// everywhere read, and how a relay is reached through it (data-plane §2.13; CONNECT of RFC 9110 section 9.3.6).
import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { addressesEqual, isLoopback, parseAddress, parsePrefix, prefixContains } from '@mesh/wire/ip'
import { DerpError } from '../errors.ts'

/** What is to be reached. */
export interface ProxyTarget {
  /** A name or an address, without brackets. */
  readonly host: string
  /** The TCP port. */
  readonly port: number
  /** Whether TLS will be spoken. */
  readonly secure: boolean
}

/**
 * Returns the proxy that the environment names for a target, or `undefined` when it is to be dialled directly:
 * `HTTPS_PROXY` (or `HTTP_PROXY` for targets without TLS) and the exceptions in `NO_PROXY`, each in capitals or not.
 * Loopback is never asked of a proxy.
 *
 * @throws DerpError with `ERR_DERP_PROXY` when what it names is no URL of an HTTP proxy.
 */
export function proxyFromEnvironment(
  target: ProxyTarget,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): URL | undefined {
  const name = target.secure ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = variable(environment, name)
  if (value === '' || isExempt(target, variable(environment, 'NO_PROXY'))) return undefined
  const text = value.includes('://') ? value : `http://${value}`
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (proxy?.protocol === 'http:' || proxy?.protocol === 'https:') return proxy
  // The value may hold a password, so it is not repeated.
  throw new DerpError('ERR_DERP_PROXY', `${name} is not the URL of an HTTP proxy`)
}

/** Opens a connection to a target through a proxy, with the user and password of its URL. The name is the proxy's to look up. */
export function connectThrough(proxy: URL, target: ProxyTarget, signal: AbortSignal): Promise<Socket> {
  const authority = `${isIP(target.host) === 6 ? `[${target.host}]` : target.host}:${target.port}`
  const begin = proxy.protocol === 'https:' ? secureRequest : plainRequest
  return new Promise((resolve, reject) => {
    const asked = begin({
      host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      headers: { Host: authority, ...authorization(proxy) },
      agent: false,
      signal,
    })
    const refuse = (why: string, cause?: unknown): void =>
      reject(new DerpError('ERR_DERP_PROXY', `the proxy ${proxy.host} ${why}`, { cause }))
    asked.on('connect', ({ statusCode, statusMessage }, socket, head) => {
      if (statusCode !== undefined && statusCode >= 200 && statusCode < 300) {
        if (head.length > 0) socket.unshift(head)
        return resolve(socket)
      }
      socket.on('error', () => undefined)
      socket.destroy()
      refuse(`answered ${statusCode} ${statusMessage}`)
    })
    asked.on('error', (error) =>
      signal.aborted ? reject(signal.reason) : refuse(`failed: ${error.message}`, error),
    )
    asked.end()
  })
}

function variable(environment: Readonly<Record<string, string | undefined>>, name: string): string {
  return (environment[name] || environment[name.toLowerCase()] || '').trim()
}

function isExempt({ host, port }: ProxyTarget, exceptions: string): boolean {
  const address = parseAddress(host)
  if (host === 'localhost' || (address !== undefined && isLoopback(address))) return true
  return exceptions
    .split(',')
    .map((each) => each.trim().toLowerCase())
    .some((each) => each !== '' && matches(each, host.toLowerCase(), address, port))
}

// `*`, a block of addresses, or an address or name that may end in `:PORT`. A name stands for all that is below it too,
// `.name` only for that.
function matches(exception: string, host: string, address: Uint8Array | undefined, port: number): boolean {
  if (exception === '*') return true
  const block = parsePrefix(exception)
  if (block !== undefined) return address !== undefined && prefixContains(block, address)
  const [name, only] = splitPort(exception)
  if (only !== undefined && only !== port) return false
  const exempt = parseAddress(name)
  if (exempt !== undefined) return address !== undefined && addressesEqual(exempt, address)
  const below = name.replace(/^\*\./, '.')
  return below.startsWith('.') ? host.endsWith(below) : host === below || host.endsWith(`.${below}`)
}

function splitPort(text: string): [name: string, port: number | undefined] {
  if (parseAddress(text) !== undefined) return [text, undefined]
  const [, name = text, port] = /^(.*):(\d+)$/.exec(text) ?? []
  return [name.replace(/^\[(.*)\]$/, '$1'), port === undefined ? undefined : Number(port)]
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'Proxy-Authorization': `Basic ${Buffer.from(user).toString('base64')}` }
}
