// Where a request comes from. Behind a proxy every connection is the proxy's own; it says in X-Forwarded-For for whom, and
// is believed only when it is one of those that the administrator named. Anybody else may write there what they like.

import type { IncomingMessage } from 'node:http'
import { hostPrefix, parseAddress, parsePrefix, prefixContains } from '@mesh/wire/ip'
import type { Prefix } from '@mesh/wire/ip'
import { ControlError, quoted } from '../errors.ts'

/** The most proxies one behind the other. */
const MAX_HOPS = 16

/** Tells where a request comes from, as an address in text. */
export type ClientAddress = (request: IncomingMessage) => string

/**
 * Returns what tells where requests come from.
 *
 * @param trusted - Addresses and prefixes of proxies.
 * @throws ControlError `ERR_CONTROL_CONFIG` when one of them is none.
 */
export function clientAddress(trusted: readonly string[] = []): ClientAddress {
  const isProxy = proxyTest(trusted)
  return ({ socket, headers }) => {
    let from = socket.remoteAddress ?? ''
    const hops = trusted.length === 0 ? [] : hopsOf(headers['x-forwarded-for'])
    // The nearest proxy wrote the last of them.
    for (const hop of hops.slice(-MAX_HOPS).toReversed()) {
      if (!isProxy(from) || !parseAddress(hop)) break
      from = hop
    }
    return from
  }
}

/**
 * Returns what tells whether an address is that of a proxy.
 *
 * @param trusted - Addresses and prefixes of proxies.
 * @throws ControlError `ERR_CONTROL_CONFIG` when one of them is none.
 */
export function proxyTest(trusted: readonly string[]): (address: string) => boolean {
  const proxies = trusted.map(readProxy)
  return (text) => {
    const address = parseAddress(text)
    return address !== undefined && proxies.some((proxy) => prefixContains(proxy, address))
  }
}

function hopsOf(header: string | readonly string[] | undefined): readonly string[] {
  const text = typeof header === 'string' ? header : (header?.join() ?? '')
  return text.split(',').map((hop) => hop.trim().replace(/^\[(.*)\](:\d+)?$/, '$1'))
}

function readProxy(text: string): Prefix {
  const address = parseAddress(text)
  const prefix = address ? hostPrefix(address) : parsePrefix(text)
  if (prefix) return prefix
  throw new ControlError('ERR_CONTROL_CONFIG', `${quoted(text)} is no address and no prefix of a proxy.`)
}
