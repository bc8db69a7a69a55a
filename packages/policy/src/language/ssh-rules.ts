// The rules of `ssh`: who may log in where, and as whom (control §7.8).
import type { Requires } from './access-rules.ts'
import type { PolicyText, SshText } from './document.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { meaningless } from './meaning.ts'
import type { Names } from './names.ts'
import type { Required } from './postures.ts'
import { parseSelector, type Selector } from './selector.ts'

/** Somebody may log in somewhere. */
export interface SshRule {
  /** Whether a person has to confirm it first. */
  readonly action: 'accept' | 'check'
  readonly sources: readonly Selector[]
  /** What a source must be like, too. */
  readonly required: Required
  readonly destinations: readonly Selector[]
  /** Local users by their names. */
  readonly users: readonly string[]
  /** Whether any local user but root will do. */
  readonly nonroot: boolean
  /** Domains whose users may log in under what stands before the `@` of their mail address. */
  readonly localparts: readonly string[]
  /** Environment variables that are passed on. */
  readonly acceptEnv: readonly string[]
  /** How long a confirmation counts, milliseconds; 0 asks every time. */
  readonly checkPeriod: number
}

/** What a policy is read for. */
export interface PolicyContext {
  /** The domains of the network's users; left out, every domain is taken for one. */
  readonly domains?: readonly string[]
}

/** How long a confirmation counts at most, and when nothing is said, milliseconds. */
const MAX_CHECK_PERIOD = 168 * 3_600_000
const DEFAULT_CHECK_PERIOD = 12 * 3_600_000

const LOCALPART = /^localpart:\*@(.+)$/

/** Reads the rules. @throws PolicyError `ERR_POLICY_MEANING`. */
export function sshRules(
  { ssh }: PolicyText,
  names: Names,
  context: PolicyContext,
  requires: Requires,
): readonly SshRule[] {
  return (ssh ?? []).map((rule) => ({
    ...sshRule(rule, names, context),
    required: requires(rule.srcPosture),
  }))
}

function sshRule(rule: SshText, names: Names, context: PolicyContext): Omit<SshRule, 'required'> {
  const action = actionOf(rule)
  const users = usersOf(rule, context)
  if (rule.acceptEnv?.includes('')) throw meaningless('acceptEnv values cannot be empty')
  const localparts = users.map((user) => LOCALPART.exec(user)?.[1]).filter((each) => each !== undefined)
  return {
    action,
    sources: (rule.src ?? []).map((word) => sourceOf(word, names, context)),
    destinations: (rule.dst ?? []).map((word) => destinationOf(word, names)),
    users: users.filter((user) => user !== 'autogroup:nonroot' && !LOCALPART.test(user)),
    nonroot: users.includes('autogroup:nonroot'),
    localparts,
    acceptEnv: rule.acceptEnv ?? [],
    checkPeriod: checkPeriodOf(rule),
  }
}

function actionOf({ action = '' }: SshText): 'accept' | 'check' {
  if (action === '') throw meaningless('action must be specified')
  if (action !== 'accept' && action !== 'check') throw meaningless(`"${action}" is not a valid action`)
  return action
}

function usersOf({ users = [] }: SshText, context: PolicyContext): readonly string[] {
  if (users.length === 0) throw meaningless('users must be specified')
  const trimmed = users.map((user) => user.trim())
  for (const user of trimmed) {
    if (user === '' || user === '*') throw meaningless(`user "${user}" is not valid`)
    const domain = LOCALPART.exec(user)?.[1]
    if (domain !== undefined) checkDomain(domain, context, '')
  }
  return trimmed
}

function checkPeriodOf({ action, checkPeriod }: SshText): number {
  if (checkPeriod === undefined) return DEFAULT_CHECK_PERIOD
  if (action !== 'check') throw meaningless('checkPeriod can only be used with the action "check"')
  if (checkPeriod === 'always') return 0
  const period = parseDuration(checkPeriod)
  if (period === undefined) throw meaningless(`time: invalid duration "${checkPeriod}"`)
  if (period <= 0) throw meaningless(`checkPeriod ${formatDuration(period)} must be a positive duration`)
  if (period > MAX_CHECK_PERIOD)
    throw meaningless(`checkPeriod ${formatDuration(period)} is above the max (168h)`)
  return period
}

function sourceOf(word: string, names: Names, context: PolicyContext): Selector {
  const selector = parseSelector(word, names)
  if (typeof selector === 'string') throw meaningless(`src=${selector}`)
  if (selector.kind === 'domain') checkDomain(selector.domain, context, '[ssh] ')
  if (!isSomebody(selector)) throw meaningless(`invalid src "${word}"`)
  return selector
}

function destinationOf(word: string, names: Names): Selector {
  const selector = parseSelector(word, names)
  if (typeof selector === 'string') throw meaningless(`dst=${selector}`)
  const isSelf = selector.kind === 'autogroup' && selector.name === 'self'
  if (word.trim().startsWith('group:') || !(isSelf || isSomebody(selector)))
    throw meaningless(`invalid dst "${word}"`)
  return selector
}

/** Those who log in, and where they do, are known by who they are and not by addresses. */
function isSomebody(selector: Selector): boolean {
  if (selector.kind === 'autogroup') return selector.name === 'member' || selector.name === 'tagged'
  return selector.kind === 'users' || selector.kind === 'domain' || selector.kind === 'tag'
}

function checkDomain(domain: string, { domains }: PolicyContext, where: string): void {
  if (domains && !domains.includes(domain)) {
    throw meaningless(
      `${where}${domain} is not associated with this Tailnet and cannot be used in user:*@<domain> expressions`,
    )
  }
}
