// What may stand behind a flag, in a file and in the environment: each reader takes the text and returns its value, or
// says how to write it.

import { parseAddress, parsePrefix } from '@mesh/wire/ip'
import { InvalidArgumentError } from 'commander'

/** Where to listen. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Reads `127.0.0.1:8080`, `[::1]:8080` or `:8080`. */
export function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535)
    throw new InvalidArgumentError('Write it as 127.0.0.1:8080 or [::1]:8080.')
  return { host: bracketed ?? (plain || '::'), port: Number(port) }
}

/** Reads where to listen, or `off`. */
export function listenAddressOrOff(text: string): ListenAddress | 'off' {
  return text === 'off' ? text : listenAddress(text)
}

/** Reads the address of a server. */
export function serverUrl(text: string): string {
  if (/^https?:\/\/[^/\s]+\/*$/.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('Write it as https://host or http://host:port.')
}

/** Reads a name that an authority could give a certificate to. */
export function hostName(text: string): string {
  if (/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/i.test(text))
    return text.toLowerCase()
  throw new InvalidArgumentError('Write it as control.example.')
}

/** Reads the address of a page. */
export function webUrl(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text
  throw new InvalidArgumentError('Write it as https://authority.example/directory.')
}

/** Reads the address of a PostgreSQL database. What was written is in no complaint: a password may be in it. */
export function databaseUrl(text: string): string {
  if (/^postgres(ql)?:\/\/\S+$/.test(text)) return text
  throw new InvalidArgumentError('Write it as postgres://user:password@host:port/database.')
}

/** Reads a switch; alone it is on. */
export function truth(text: string | true): boolean {
  if (text === true || ['1', 't', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true
  if (['0', 'f', 'false', 'no', 'off'].includes(text.toLowerCase())) return false
  throw new InvalidArgumentError('Write true or false.')
}

/** Returns a reader of one of some words. */
export function oneOf<W extends string>(...words: readonly W[]): (text: string) => W {
  return (text) => {
    const word = words.find((each) => each === text)
    if (word !== undefined) return word
    throw new InvalidArgumentError(`Write ${words.join(' or ')}.`)
  }
}

/** Reads `corp.example=10.0.0.53`: names under a domain, and who resolves them. */
export function splitDomain(text: string): { readonly domain: string; readonly resolver: string } {
  const [, domain, resolver] = /^([^=\s]+)=(\S+)$/.exec(text) ?? []
  if (domain !== undefined && resolver !== undefined) return { domain, resolver }
  throw new InvalidArgumentError('Write it as corp.example=10.0.0.53.')
}

/** Reads `grafana.corp.example=100.64.0.3`: a name, and its address. */
export function dnsRecord(text: string): { readonly name: string; readonly address: string } {
  const [, name, address] = /^([^=\s]+)=(\S+)$/.exec(text) ?? []
  if (name !== undefined && address !== undefined && parseAddress(address)) return { name, address }
  throw new InvalidArgumentError('Write it as grafana.corp.example=100.64.0.3.')
}

/** Reads an address or a prefix. */
export function addressOrPrefix(text: string): string {
  if (parseAddress(text) ?? parsePrefix(text)) return text
  throw new InvalidArgumentError('Write it as 192.0.2.1 or 192.0.2.0/24.')
}
