// The capabilities that a node has for itself (control §7.9).
import type { Capabilities } from './language/access-rules.ts'
import type { AttributeRule } from './language/attribute-rules.ts'
import { type Member, type Network, overlap } from './network.ts'

/** Returns what the entries give a node; where two give values for one name, it has the values of both. */
export function attributesFor(
  member: Member,
  rules: readonly AttributeRule[],
  network: Network,
): Capabilities {
  const all = new Map<string, readonly unknown[] | null>()
  for (const { targets, attributes } of rules) {
    const isMeant = targets.some((selector) => {
      if (selector.kind === 'any') return true
      if (selector.kind !== 'addresses') return network.identified(selector)?.includes(member)
      return member.addresses.some((address) => overlap(address, selector.prefix))
    })
    if (!isMeant) continue
    for (const [name, values] of Object.entries(attributes)) {
      const known = all.get(name)
      all.set(name, known && values ? [...known, ...values] : (values ?? known ?? null))
    }
  }
  return Object.fromEntries(all)
}
