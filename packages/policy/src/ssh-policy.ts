// From the `ssh` rules of a policy to what one node's SSH server goes by (control §7.8).
import type { SSHAction, SSHPolicy, SSHRule } from '@mesh/wire/control'
import { complies } from './language/postures.ts'
import type { SshRule } from './language/ssh-rules.ts'
import { addressText } from './language/selector.ts'
import type { Member, Network, PolicyUser } from './network.ts'

/** What an SSH server does that lets somebody in. */
export const SSH_ACCEPT: SSHAction = {
  accept: true,
  allowAgentForwarding: true,
  allowLocalPortForwarding: true,
  allowRemotePortForwarding: true,
}
/** The client fills in the names in capitals, and asks there what to do. */
const ASK: SSHAction = {
  holdAndDelegate: 'https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER',
}

/**
 * Returns what a node's SSH server goes by; no rule lets nobody in. Rules that ask come first: a client takes the first that
 * fits.
 */
export function sshPolicyFor(member: Member, rules: readonly SshRule[], network: Network): SSHPolicy {
  const all = rules.flatMap((rule) => rulesAt(member, rule, network).map((made) => ({ rule, made })))
  const checks = all.filter(({ rule }) => rule.action === 'check')
  const accepts = all.filter(({ rule }) => rule.action === 'accept')
  return { rules: [...checks, ...accepts].map(({ made }) => made) }
}

/**
 * Returns how long a person's confirmation counts, milliseconds, where a rule that asks lets a source become this local
 * user; `undefined` where none does. Of several the first one counts.
 */
export function sshCheckPeriod(
  member: Member,
  source: Member,
  localUser: string,
  rules: readonly SshRule[],
  network: Network,
): number | undefined {
  return rules
    .filter(({ action }) => action === 'check')
    .filter((rule) => sshSourcesAt(member, rule, network).includes(source))
    .find((rule) => mayBecome(source, localUser, rule, network))?.checkPeriod
}

/** Tells whether a rule lets a source become a local user. */
export function mayBecome({ node }: Member, localUser: string, rule: SshRule, network: Network): boolean {
  if (rule.users.includes(localUser) || (rule.nonroot && localUser !== 'root')) return true
  const owner = node.user === undefined || node.tags.length > 0 ? undefined : network.userById(node.user)
  return localpartOf(owner, rule) === localUser
}

/** Returns who may log in at a node by a rule. */
export function sshSourcesAt(member: Member, rule: SshRule, network: Network): readonly Member[] {
  const meant = rule.sources.flatMap((selector) => network.identified(selector) ?? [])
  const sources = new Set(meant.filter(({ node }) => complies(node.posture, rule.required)))
  const isMeant = rule.destinations.some((selector) => network.identified(selector)?.includes(member))
  if (isMeant) return [...sources]
  const isSelf = rule.destinations.some(
    (selector) => selector.kind === 'autogroup' && selector.name === 'self',
  )
  // Whoever may log in under a name of their own may do so at their own devices too, as with the original.
  if (!isSelf && rule.localparts.length === 0) return []
  const { user, tags } = member.node
  if (tags.length > 0) return !isSelf && sources.has(member) ? [member] : []
  return user === undefined ? [] : network.ownedBy(user).filter((each) => sources.has(each))
}

/** Returns the local users that somebody may become, as the wire has them: `=` for the same name, empty for nobody. */
export function localUsers({ users, nonroot }: SshRule): Readonly<Record<string, string>> {
  const named = users.map((user) => [user, user] as const)
  return Object.fromEntries([['root', ''], ...(nonroot ? [['*', '='] as const] : []), ...named])
}

function rulesAt(member: Member, rule: SshRule, network: Network): readonly SSHRule[] {
  const sources = sshSourcesAt(member, rule, network)
  if (sources.length === 0) return []
  const common = localUsers(rule)
  if (rule.localparts.length === 0) return [ruleOf(rule, sources, common)]
  return groupsOf(sources).flatMap(([owner, devices]) => {
    const made = [ruleOf(rule, devices, common)]
    const localpart = owner === undefined ? undefined : localpartOf(network.userById(owner), rule)
    if (localpart !== undefined) made.push(ruleOf(rule, devices, { [localpart]: localpart }))
    return made
  })
}

function ruleOf(
  rule: SshRule,
  sources: readonly Member[],
  sshUsers: Readonly<Record<string, string>>,
): SSHRule {
  const addresses = sources.flatMap((source) => source.addresses.map((address) => addressText(address)))
  return {
    principals: addresses.toSorted().map((nodeIP) => ({ nodeIP })),
    sshUsers,
    action: rule.action === 'check' ? ASK : SSH_ACCEPT,
    ...(rule.acceptEnv.length > 0 ? { acceptEnv: rule.acceptEnv } : {}),
  }
}

/** Devices by owner, in the order of the owners' numbers; those without one come last. */
function groupsOf(sources: readonly Member[]): readonly (readonly [number | undefined, readonly Member[]])[] {
  const groups = Map.groupBy(sources, ({ node }) => (node.tags.length > 0 ? undefined : node.user))
  return [...groups].toSorted(([a = Infinity], [b = Infinity]) => a - b)
}

function localpartOf(user: PolicyUser | undefined, { localparts }: SshRule): string | undefined {
  const [localpart, domain] = user?.email?.split('@') ?? []
  return domain !== undefined && localparts.includes(domain) ? localpart : undefined
}
