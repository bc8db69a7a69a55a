// Domain names as text: lower case, no dot at the end. What a name may be, what lies inside of what, and the names
// of addresses turned round for PTR.
import type { IpAddress } from '@mesh/wire/ip'

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/
const MAX_NAME = 253

/**
 * Tells whether `name` may be put into records: labels of letters, digits, dashes and underscores, 63 bytes each and
 * 253 in all. Names come from a control server and from peers, and end up in files and shells.
 */
export function isDnsName(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= MAX_NAME &&
    normalizeName(name)
      .split('.')
      .every((label) => LABEL.test(label))
  )
}

/** Returns the name in lower case (of ASCII) without a dot at its end. */
export function normalizeName(name: string): string {
  const lower = name.replace(/[A-Z]+/g, (part) => part.toLowerCase())
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** Tells whether `name` is `suffix` or lies below it; everything lies below the empty suffix, the root. */
export function isWithin(name: string, suffix: string): boolean {
  return suffix === '' || name === suffix || name.endsWith(`.${suffix}`)
}

/** Returns the name without its first label; empty at the top. */
export function parentOf(name: string): string {
  const dot = name.indexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1)
}

/** Returns the first label of a name. */
export function firstLabelOf(name: string): string {
  const dot = name.indexOf('.')
  return dot < 0 ? name : name.slice(0, dot)
}

/** Returns the name under which an address is asked for by PTR, such as `1.0.64.100.in-addr.arpa`. */
export function reverseNameOf(address: IpAddress): string {
  if (address.length === 4) return `${[...address].toReversed().join('.')}.in-addr.arpa`
  const nibbles: string[] = []
  for (const byte of [...address].toReversed())
    nibbles.push((byte & 15).toString(16), (byte >>> 4).toString(16))
  return `${nibbles.join('.')}.ip6.arpa`
}

const V4_SUFFIX = '.in-addr.arpa'
const V6_SUFFIX = '.ip6.arpa'
const OCTET = /^(?:0|[1-9]\d{0,2})$/

/** Returns the address that a PTR question names, or `undefined` when it is no whole address. */
export function addressOfReverseName(name: string): IpAddress | undefined {
  if (name.endsWith(V4_SUFFIX)) return parseReverseV4(name.slice(0, -V4_SUFFIX.length).split('.'))
  if (name.endsWith(V6_SUFFIX)) return parseReverseV6(name.slice(0, -V6_SUFFIX.length).split('.'))
  return undefined
}

function parseReverseV4(labels: readonly string[]): IpAddress | undefined {
  if (labels.length !== 4 || !labels.every((label) => OCTET.test(label) && Number(label) < 256))
    return undefined
  return Uint8Array.from(labels.toReversed(), Number)
}

function parseReverseV6(labels: readonly string[]): IpAddress | undefined {
  if (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined
  const digits = labels.toReversed()
  return Uint8Array.from({ length: 16 }, (_, at) =>
    Number.parseInt(`${digits[at * 2]}${digits[at * 2 + 1]}`, 16),
  )
}
