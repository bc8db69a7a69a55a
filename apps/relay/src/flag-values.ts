// What may stand behind a flag: each reader takes the text and returns its value, or says how to write it.
import { availableParallelism } from 'node:os'
import { isIP } from 'node:net'
import { isLoopback } from '@mesh/derp-server/node'
import { InvalidArgumentError } from 'commander'
import { parseSibling, type SiblingAddress } from './mesh.ts'

/** Where to listen: no host means every address. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Reads `:443`, `192.0.2.1:443` or `[2001:db8::1]:443`. */
export function listenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1')
  if (colon === -1 || (host !== '' && isIP(host) === 0))
    throw new InvalidArgumentError('Write it as :443, 192.0.2.1:443 or [2001:db8::1]:443')
  return { host, port: port(text.slice(colon + 1)) }
}

/** Reads where only this machine comes to, such as `127.0.0.1:9090`; nothing for `off`. */
export function localAddressOrOff(text: string): ListenAddress | undefined {
  if (text === 'off') return undefined
  const address = listenAddress(text)
  if (!isLoopback(address.host))
    throw new InvalidArgumentError('Its pages are for this machine alone: write 127.0.0.1:PORT, or off')
  return address
}

/** Reads a port; 0 is any that is free. */
export function port(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : -1
  if (number < 0 || number > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535')
  return number
}

/** Reads a port, or -1 for none. */
export function portOrNone(text: string): number {
  return text === '-1' ? -1 : port(text)
}

/** Reads a switch as Go programs do; alone it is on. */
export function truth(text: string | true): boolean {
  if (text === true || ['1', 't', 'true'].includes(text.toLowerCase())) return true
  if (['0', 'f', 'false'].includes(text.toLowerCase())) return false
  throw new InvalidArgumentError('Write true or false')
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Reads a duration as Go writes it, such as `500ms` or `1m30s`, into milliseconds. */
export function duration(text: string): number {
  if (text === '0') return 0
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new InvalidArgumentError('Write it as 500ms, 2s or 1m30s')
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  return parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (UNITS[unit] ?? 0), 0)
}

/** Reads a list of names, separated by commas. */
export function names(text: string): string[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

/** Reads a list of relays to mesh with. */
export function siblings(text: string): SiblingAddress[] {
  return names(text).map((each) => {
    const sibling = parseSibling(each)
    if (sibling === undefined)
      throw new InvalidArgumentError('Write it as relay.example or relay.example:443/192.0.2.1')
    return sibling
  })
}

/** Reads a number of threads, or `all` for as many as there are cores. */
export function workerCount(text: string): number {
  const number = text === 'all' ? availableParallelism() : /^\d+$/.test(text) ? Number(text) : 0
  if (number < 1 || number > 256) throw new InvalidArgumentError('Write all, or a number from 1 to 256')
  return number
}

/** Reads a number above 0, or `+Inf`. */
export function rate(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (number <= 0) throw new InvalidArgumentError('Write a number above 0')
  return number
}

/** Reads the number of a region. */
export function regionId(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0
  if (number < 1 || number > 65_535) throw new InvalidArgumentError('A region is a number from 1 to 65535')
  return number
}

/** Reads the address of a web page. */
export function webUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new InvalidArgumentError('Write it as https://control.example/verify')
  return text
}

/** Reads what to show at the root: nothing, `blank`, or the address of another page. */
export function homePage(text: string): string {
  return text === '' || text === 'blank' ? text : webUrl(text)
}
