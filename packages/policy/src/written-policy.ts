// A policy that somebody wrote, read and found to make sense.
import { type AccessRule, accessRules, type Requires } from './language/access-rules.ts'
import { type Approvers, approversOf } from './language/approvers.ts'
import { type AttributeRule, attributeRules } from './language/attribute-rules.ts'
import { readPolicyText, type SshTestText, type TestText } from './language/document.ts'
import { Names } from './language/names.ts'
import { posturesOf, requiredBy } from './language/postures.ts'
import { type PolicyContext, type SshRule, sshRules } from './language/ssh-rules.ts'

/** A policy in the written language: see {@link readPolicy}. */
export interface WrittenPolicy {
  readonly kind: 'written'
  /** Who may reach what. */
  readonly rules: readonly AccessRule[]
  /** Who may log in where. */
  readonly ssh: readonly SshRule[]
  /** What nodes have for themselves. */
  readonly attributes: readonly AttributeRule[]
  /** Whose routes need no administrator's word. */
  readonly approvers: Approvers
  /** Whether any rule looks at {@link PolicyNode.posture}. */
  readonly asksForPosture: boolean
  /** What its names mean. */
  readonly names: Names
  /** What must be allowed by it, and what must not: see {@link testPolicy}. */
  readonly tests: readonly TestText[]
  readonly sshTests: readonly SshTestText[]
}

/** Everybody to everybody: what a policy without `acls` and `grants` means. */
const EVERYTHING: AccessRule = {
  sources: [{ kind: 'any' }],
  destinations: [{ selector: { kind: 'any' }, ports: [{ First: 0, Last: 65_535 }] }],
  protocol: undefined,
  via: [],
  required: [],
  name: 'the absence of acls and grants',
}

/**
 * Reads a policy: HuJSON in the language of Tailscale's policy files (control §7).
 *
 * @throws PolicyError with a sentence for whoever wrote it.
 */
export function readPolicy(text: string, context: PolicyContext = {}): WrittenPolicy {
  const document = readPolicyText(text)
  const names = new Names(document)
  const postures = posturesOf(document)
  const otherwise = requiredBy(document.defaultSrcPosture, postures)
  const requires: Requires = (words) => requiredBy(words, postures, otherwise)
  const rules = accessRules(document, names, requires) ?? [{ ...EVERYTHING, required: otherwise }]
  const ssh = sshRules(document, names, context, requires)
  return {
    kind: 'written',
    rules,
    ssh,
    asksForPosture: [...rules, ...ssh].some(({ required }) => required.length > 0),
    attributes: attributeRules(document, names),
    approvers: approversOf(document, names),
    names,
    tests: document.tests ?? [],
    sshTests: document.sshTests ?? [],
  }
}
