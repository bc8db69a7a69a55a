// The names that a policy gives: groups of users, hosts, and tags with their owners (control §7.2).
import { hostPrefix, maskPrefix, parseAddress, parsePrefix, type Prefix } from '@mesh/wire/ip'
import type { PolicyText } from './document.ts'
import { meaningless } from './meaning.ts'

const GROUP = 'group:'
const TAG = 'tag:'

/** What names mean. */
export class Names {
  /** The members of each group, by `group:name`. */
  readonly groups: ReadonlyMap<string, readonly string[]>
  /** The addresses of hosts. */
  readonly hosts: ReadonlyMap<string, Prefix>
  /** Who may give each tag, by `tag:name`. */
  readonly tagOwners: ReadonlyMap<string, readonly string[]>

  /** @throws PolicyError `ERR_POLICY_MEANING` for names that cannot be. */
  constructor({ groups = new Map(), hosts = new Map(), tagOwners = new Map() }: PolicyText) {
    for (const [name, members] of groups) checkGroup(name, members)
    for (const name of tagOwners.keys()) checkTag(name)
    this.groups = groups
    this.tagOwners = tagOwners
    this.hosts = new Map(Array.from(hosts, ([name, text]) => [name, hostAddress(name, text)]))
  }

  /** Tells whether a tag exists. */
  hasTag(tag: string): boolean {
    return this.tagOwners.has(tag)
  }
}

/** Reads an address, or a block of them in its normal form. */
export function parseAddresses(text: string): Prefix | undefined {
  const address = parseAddress(text)
  if (address) return hostPrefix(address)
  const prefix = parsePrefix(text)
  return prefix && maskPrefix(prefix)
}

function hostAddress(name: string, text: string): Prefix {
  const prefix = parseAddresses(text)
  if (!prefix) throw meaningless(`hosts["${name}"]: "${text}": invalid address`)
  return prefix
}

function checkGroup(name: string, members: readonly string[]): void {
  if (!name.startsWith(GROUP)) throw meaningless(`groups["${name}"]: group names must start with "group:"`)
  const inner = members.find((member) => member.startsWith(GROUP))
  if (inner !== undefined)
    throw meaningless(`groups["${name}"]: "${inner}": group members cannot be recursive`)
  const odd = members.find((member) => !member.includes('@'))
  if (odd !== undefined) throw meaningless(`groups["${name}"]: "${odd}": group members must be users`)
}

function checkTag(name: string): void {
  if (!name.startsWith(TAG)) throw meaningless(`tagOwners["${name}"]: tag names must start with "tag:"`)
  if (!/^[a-z]/i.test(name.slice(TAG.length)))
    throw meaningless(`tagOwners["${name}"]: tag names must start with a letter, after 'tag:'`)
  if (!/^[a-z][a-z0-9-]*$/i.test(name.slice(TAG.length)))
    throw meaningless(`tagOwners["${name}"]: tag names can only contain numbers, letters, or dashes`)
}
