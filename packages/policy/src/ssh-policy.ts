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

/** A rule with what is the same for every node worked out. */
export interface PreparedSshRule {
  readonly rule: SshRule
  /** Returns who may log in by it at a node. */
  readonly sourcesAt: (member: Member) => readonly Member[]
  /** Returns it as the SSH server of a node is told it. */
  readonly toldAt: (member: Member) => readonly SSHRule[]
}

const NOBODY: readonly Member[] = []

/** Works out what is the same for every node. */
export function prepareSshRule(rule: SshRule, network: Network): PreparedSshRule {
  const meant = rule.sources.flatMap((selector) => network.identified(selector) ?? [])
  const all = new Set(meant.filter(({ node }) => complies(node.posture, rule.required)))
  const sources = [...all]
  const places = new Set(rule.destinations.flatMap((selector) => network.identified(selector) ?? []))
  const isSelf = rule.destinations.some(
    (selector) => selector.kind === 'autogroup' && selector.name === 'self',
  )
  // The devices of one owner have one list of sources.
  const owned = new Map<number, readonly Member[]>()
  const sourcesAt = (member: Member): readonly Member[] => {
    if (places.has(member)) return sources
    // Whoever may log in under a name of their own may do so at their own devices too, as with the original.
    if (!isSelf && rule.localparts.length === 0) return NOBODY
    const { user, tags } = member.node
    if (tags.length > 0) return !isSelf && all.has(member) ? [member] : NOBODY
    if (user === undefined) return NOBODY
    const own = owned.get(user) ?? network.ownedBy(user).filter((each) => all.has(each))
    owned.set(user, own)
    return own
  }
  const told = new Map<readonly Member[], readonly SSHRule[]>()
  const toldAt = (member: Member): readonly SSHRule[] => {
    const own = sourcesAt(member)
    const known = told.get(own) ?? toldOf(rule, own, network)
    told.set(own, known)
    return known
  }
  return { rule, sourcesAt, toldAt }
}

/**
 * Returns what a node's SSH server goes by; no rule lets nobody in. Rules that ask come first: a client takes the first that
 * fits.
 */
export function sshPolicyFor(member: Member, rules: readonly PreparedSshRule[]): SSHPolicy {
  const toldBy = (action: SshRule['action']): readonly SSHRule[] =>
    rules.filter(({ rule }) => rule.action === action).flatMap(({ toldAt }) => toldAt(member))
  return { rules: [...toldBy('check'), ...toldBy('accept')] }
}

/**
 * Returns how long a person's confirmation counts, milliseconds, where a rule that asks lets a source become this local
 * user; `undefined` where none does. Of several the first one counts.
 */
export function sshCheckPeriod(
  member: Member,
  source: Member,
  localUser: string,
  rules: readonly PreparedSshRule[],
  network: Network,
): number | undefined {
  return rules
    .filter(({ rule }) => rule.action === 'check')
    .filter(({ sourcesAt }) => sourcesAt(member).includes(source))
    .find(({ rule }) => mayBecome(source, localUser, rule, network))?.rule.checkPeriod
}

/** Tells whether a rule lets a source become a local user. */
export function mayBecome({ node }: Member, localUser: string, rule: SshRule, network: Network): boolean {
  if (rule.users.includes(localUser) || (rule.nonroot && localUser !== 'root')) return true
  const owner = node.user === undefined || node.tags.length > 0 ? undefined : network.userById(node.user)
  return localpartOf(owner, rule) === localUser
}

/** Returns the local users that somebody may become, as the wire has them: `=` for the same name, empty for nobody. */
export function localUsers({ users, nonroot }: SshRule): Readonly<Record<string, string>> {
  const named = users.map((user) => [user, user] as const)
  return Object.fromEntries([['root', ''], ...(nonroot ? [['*', '='] as const] : []), ...named])
}

function toldOf(rule: SshRule, sources: readonly Member[], network: Network): readonly SSHRule[] {
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
