// The capabilities that a node has for itself (control §7.9).
import type { Prefix } from '@mesh/wire/ip'
import type { Capabilities } from './language/access-rules.ts'
import type { AttributeRule } from './language/attribute-rules.ts'
import { type Member, type Network, overlap } from './network.ts'

/** An entry with what is the same for every node worked out. */
export interface PreparedAttributes {
  readonly attributes: Capabilities
  readonly isForAll: boolean
  readonly members: ReadonlySet<Member>
  readonly prefixes: readonly Prefix[]
}

/** Works out what is the same for every node. */
export function prepareAttributes(
  { targets, attributes }: AttributeRule,
  network: Network,
): PreparedAttributes {
  return {
    attributes,
    isForAll: targets.some(({ kind }) => kind === 'any'),
    members: new Set(targets.flatMap((selector) => network.identified(selector) ?? [])),
    prefixes: targets.flatMap((selector) => (selector.kind === 'addresses' ? [selector.prefix] : [])),
  }
}

/** Returns what the entries give a node; where two give values for one name, it has the values of both. */
export function attributesFor(member: Member, rules: readonly PreparedAttributes[]): Capabilities {
  const all = new Map<string, readonly unknown[] | null>()
  for (const rule of rules) {
    if (!isMeant(member, rule)) continue
    for (const [name, values] of Object.entries(rule.attributes)) {
      const known = all.get(name)
      all.set(name, known && values ? [...known, ...values] : (values ?? known ?? null))
    }
  }
  return Object.fromEntries(all)
}

function isMeant(member: Member, { isForAll, members, prefixes }: PreparedAttributes): boolean {
  if (isForAll || members.has(member)) return true
  return prefixes.some((prefix) => member.addresses.some((address) => overlap(address, prefix)))
}
