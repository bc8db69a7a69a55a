// The entries of `nodeAttrs`: capabilities that nodes have for themselves (control §7.9).
import type { Capabilities } from './access-rules.ts'
import type { NodeAttributeText, PolicyText } from './document.ts'
import { meaningless } from './meaning.ts'
import type { Names } from './names.ts'
import { parseSelector, type Selector } from './selector.ts'

/** Nodes have capabilities. */
export interface AttributeRule {
  readonly targets: readonly Selector[]
  readonly attributes: Capabilities
}

/** What `randomizeClientPort` gives every node. */
const RANDOM_PORT = 'randomize-client-port'

/** Reads the entries. @throws PolicyError `ERR_POLICY_MEANING`. */
export function attributeRules(
  { nodeAttrs = [], randomizeClientPort = false }: PolicyText,
  names: Names,
): readonly AttributeRule[] {
  const written = nodeAttrs.map((entry) => attributeRule(entry, names))
  if (!randomizeClientPort) return written
  return [...written, { targets: [{ kind: 'any' }], attributes: { [RANDOM_PORT]: null } }]
}

function attributeRule(
  { target = [], attr = [], app, ipPool }: NodeAttributeText,
  names: Names,
): AttributeRule {
  if (ipPool !== undefined) throw meaningless('ipPool is not supported: addresses are given by the server')
  const named = attr.map((name) => [name, null] as const)
  return {
    targets: target.map((word) => targetOf(word, names)),
    attributes: Object.fromEntries([...named, ...(app ?? [])]),
  }
}

function targetOf(word: string, names: Names): Selector {
  const selector = parseSelector(word, names)
  if (typeof selector === 'string') throw meaningless(selector)
  if (selector.kind === 'autogroup' && selector.name !== 'member' && selector.name !== 'tagged')
    throw meaningless(`"${word}": not valid as a target`)
  return selector
}
