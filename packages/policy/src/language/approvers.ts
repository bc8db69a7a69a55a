// `autoApprovers`: whose routes count without an administrator's word (control §7.7).
import { maskPrefix, parsePrefix, type Prefix } from '@mesh/wire/ip'
import type { PolicyText } from './document.ts'
import { meaningless } from './meaning.ts'
import type { Names } from './names.ts'
import { parseSelector, type Selector } from './selector.ts'

/** Routes within a block are approved for these. */
export interface RouteApprover {
  readonly block: Prefix
  readonly approvers: readonly Selector[]
}

/** Who may serve what by themselves. */
export interface Approvers {
  readonly routes: readonly RouteApprover[]
  /** Who may be an exit node. */
  readonly exitNode: readonly Selector[]
}

/** Reads the section. @throws PolicyError `ERR_POLICY_MEANING`. */
export function approversOf({ autoApprovers = {} }: PolicyText, names: Names): Approvers {
  const { routes = new Map<string, readonly string[]>(), exitNode = [] } = autoApprovers
  return {
    routes: Array.from(routes, ([text, words]) => ({
      block: blockOf(text),
      approvers: words.map((word) => approverOf(word, names)),
    })),
    exitNode: exitNode.map((word) => approverOf(word, names)),
  }
}

function blockOf(text: string): Prefix {
  const block = parsePrefix(text)
  if (!block) throw meaningless(`autoApprovers.routes["${text}"]: invalid prefix`)
  return maskPrefix(block)
}

function approverOf(word: string, names: Names): Selector {
  const selector = parseSelector(word, names)
  if (typeof selector === 'string') throw meaningless(`autoApprovers: ${selector}`)
  const { kind } = selector
  if (
    kind === 'any' ||
    kind === 'addresses' ||
    (kind === 'autogroup' && selector.name !== 'member' && selector.name !== 'tagged')
  )
    throw meaningless(`autoApprovers: "${word}": only users, groups and tags can approve`)
  return selector
}
