// Who or what a word in a rule stands for (control §7.2).
import { formatAddress, formatPrefix, type Prefix } from '@mesh/wire/ip'
import { type Names, parseAddresses } from './names.ts'

/** The groups that the language makes by itself. */
const AUTOGROUPS = ['member', 'tagged', 'self', 'internet', 'danger-all'] as const
/** A group that the language makes by itself, without its `autogroup:`. */
export type Autogroup = (typeof AUTOGROUPS)[number]

/** What a word stands for. */
export type Selector =
  /** `*`. */
  | { readonly kind: 'any' }
  /** Devices of these users that have no tag; users by login name or mail address. */
  | { readonly kind: 'users'; readonly logins: readonly string[] }
  /** Devices of all users whose mail address is in a domain. */
  | { readonly kind: 'domain'; readonly domain: string }
  /** Devices with a tag. */
  | { readonly kind: 'tag'; readonly tag: string }
  /** `text` is as it goes into rules. */
  | { readonly kind: 'addresses'; readonly prefix: Prefix; readonly text: string }
  | { readonly kind: 'autogroup'; readonly name: Autogroup }

/** Returns what a word stands for, or why it stands for nothing. */
export function parseSelector(word: string, names: Names): Selector | string {
  const name = word.trim()
  if (name === '*') return { kind: 'any' }
  const literal = parseAddresses(name)
  if (literal) return { kind: 'addresses', prefix: literal, text: addressText(literal) }
  if (name.startsWith('user:*@')) return { kind: 'domain', domain: name.slice('user:*@'.length) }
  if (name.includes('@')) return { kind: 'users', logins: [name] }
  if (name.startsWith('group:')) {
    const logins = names.groups.get(name)
    return logins ? { kind: 'users', logins } : `group not found: "${name}"`
  }
  if (name.startsWith('tag:'))
    return names.hasTag(name) ? { kind: 'tag', tag: name } : `tag not found: "${name}"`
  if (name.startsWith('autogroup:')) return parseAutogroup(name)
  const host = names.hosts.get(name)
  return host ? { kind: 'addresses', prefix: host, text: addressText(host) } : `"${name}": invalid address`
}

function parseAutogroup(word: string): Selector | string {
  const asked = word.slice('autogroup:'.length)
  const name = AUTOGROUPS.find((each) => each === asked || `${each}s` === asked)
  return name ? { kind: 'autogroup', name } : `unknown autogroup: "${word}"`
}

/** One address is written without its length. */
export function addressText(prefix: Prefix): string {
  return prefix.bits === prefix.address.length * 8 ? formatAddress(prefix.address) : formatPrefix(prefix)
}
