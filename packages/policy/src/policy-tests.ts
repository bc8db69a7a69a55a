// The tests that a policy carries with it: what must be allowed by it, and what must not (control §7.10).
import type { PortRange } from '@mesh/wire/control'
import { PolicyError } from './errors.ts'
import { filterRulesFor, type PreparedRule, prepareRule } from './filter-rules.ts'
import type { SshTestText, TestText } from './language/document.ts'
import { meaningless } from './language/meaning.ts'
import { parsePorts, parseProtocol } from './language/ports.ts'
import type { Member, PolicyNode, PolicyUser } from './network.ts'
import { allowedPorts, parseRules } from './rules.ts'
import { mayBecome, type PreparedSshRule, prepareSshRule } from './ssh-policy.ts'
import { Stage } from './stage.ts'
import type { WrittenPolicy } from './written-policy.ts'

const TCP = 6

/**
 * Runs the tests that a policy carries with it.
 *
 * @throws PolicyError `ERR_POLICY_TEST` whose details name each that fails.
 */
export function testPolicy(
  policy: WrittenPolicy,
  nodes: readonly PolicyNode[] = [],
  users: readonly PolicyUser[] = [],
): void {
  const stage = new Stage(policy.names, nodes, users)
  const rules = preparedOn(stage, policy)
  const ssh = policy.ssh.map((rule) => prepareSshRule(rule, stage.network))
  const failures = [
    ...policy.tests.flatMap((test) => {
      const { srcPostureAttrs } = test
      if (!srcPostureAttrs || !policy.asksForPosture) return failuresOf(test, rules, stage)
      const own = new Stage(policy.names, nodes, users, Object.fromEntries(srcPostureAttrs))
      return failuresOf(test, preparedOn(own, policy), own)
    }),
    ...policy.sshTests.flatMap((test) => sshFailuresOf(test, ssh, stage)),
  ]
  if (failures.length > 0) throw new PolicyError('ERR_POLICY_TEST', 'test(s) failed', { details: failures })
}

function preparedOn({ network }: Stage, { rules }: WrittenPolicy): readonly PreparedRule[] {
  return rules.map((rule) => prepareRule(rule, network))
}

function failuresOf(test: TestText, rules: readonly PreparedRule[], stage: Stage): readonly string[] {
  const { src = '', accept = [], deny = [] } = test
  const selector = stage.selector(src)
  const sources = selector ? stage.actors(selector) : []
  const protocol = parseProtocol(test.proto)
  if (sources.length === 0) return [`"${src}" is nobody`]
  if (typeof protocol === 'string') return [protocol]
  if (accept.length + deny.length === 0) return [`the test of "${src}" accepts and denies nothing`]
  const ask = (
    word: string,
    isRight: (allowed: boolean | undefined) => boolean,
    what: string,
  ): readonly string[] => {
    const answers = sources.map((source) => reaches(source, word, protocol.number ?? TCP, rules, stage, what))
    return answers.every(isRight) ? [] : [`"${src}" to "${word}": expected ${what}`]
  }
  return [
    ...accept.flatMap((word) => ask(word, (allowed) => allowed === true, 'accept')),
    ...deny.flatMap((word) => ask(word, (allowed) => allowed === false, 'deny')),
  ]
}

/**
 * Tells whether a source reaches all of a destination, or with `deny` any of it; `undefined` when the word means no
 * destination.
 */
function reaches(
  source: Member,
  word: string,
  protocol: number,
  rules: readonly PreparedRule[],
  stage: Stage,
  what: string,
): boolean | undefined {
  const colon = word.lastIndexOf(':')
  const ports = parsePorts(word.slice(colon + 1))
  const selector = stage.selector(word.slice(0, colon))
  if (colon === -1 || typeof ports === 'string' || !selector) return undefined
  const isSelf = selector.kind === 'autogroup' && selector.name === 'self'
  const targets = isSelf ? [stage.twin(source)].filter((each) => each !== undefined) : stage.actors(selector)
  if (targets.length === 0) return undefined
  const asked = targets.flatMap((target) => {
    const open = openPorts(source, target, protocol, rules)
    return ports.map((range) => (what === 'deny' ? touches(open, range) : covers(open, range)))
  })
  return what === 'deny' ? asked.some(Boolean) : asked.every(Boolean)
}

type OpenPorts = ReturnType<typeof allowedPorts>

function openPorts(
  source: Member,
  target: Member,
  protocol: number,
  rules: readonly PreparedRule[],
): OpenPorts {
  const set = parseRules(filterRulesFor(target, rules))
  const pairs = source.addresses.flatMap(({ address: from }) =>
    target.addresses
      .filter(({ address: to }) => to.length === from.length)
      .map((to) => [from, to.address] as const),
  )
  return pairs.flatMap(([from, to]) => allowedPorts(set, from, to, protocol))
}

function covers(open: OpenPorts, { First, Last }: PortRange): boolean {
  return open.some(({ first, last }) => first <= First && Last <= last)
}

function touches(open: OpenPorts, { First, Last }: PortRange): boolean {
  return open.some(({ first, last }) => first <= Last && First <= last)
}

function sshFailuresOf(
  test: SshTestText,
  rules: readonly PreparedSshRule[],
  stage: Stage,
): readonly string[] {
  const { src = '', dst = [], accept = [], deny = [], check = [] } = test
  const targets = dst.flatMap((word) => sshTargets(word, stage))
  const selector = stage.selector(src)
  const sources = selector ? stage.actors(selector) : []
  if (sources.length === 0) return [`"${src}" is nobody`]
  if (targets.length === 0) return [`the SSH test of "${src}" has no destination`]
  if (accept.length + deny.length + check.length === 0)
    return [`the SSH test of "${src}" accepts, checks and denies nobody`]
  const ask = (
    user: string,
    isRight: (actions: readonly string[]) => boolean,
    what: string,
  ): readonly string[] => {
    const isFine = sources.every((source) =>
      targets.every((target) => {
        const place = target === source ? (stage.twin(source) ?? target) : target
        return isRight(actionsFor(user, source, place, rules, stage))
      }),
    )
    return isFine ? [] : [`"${src}" as "${user}": expected ${what}`]
  }
  return [
    ...accept.flatMap((user) => ask(user, (actions) => actions.length > 0, 'accept')),
    ...check.flatMap((user) => ask(user, (actions) => actions.includes('check'), 'check')),
    ...deny.flatMap((user) => ask(user, (actions) => actions.length === 0, 'deny')),
  ]
}

function sshTargets(word: string, stage: Stage): readonly Member[] {
  const selector = stage.selector(word)
  if (word.startsWith('tag:') && !selector) throw meaningless(`SSH tests dst contains unknown tag "${word}"`)
  const targets = selector && selector.kind !== 'any' ? stage.actors(selector) : []
  const isInternet = selector?.kind === 'autogroup' && selector.name === 'internet'
  if (targets.length === 0 || isInternet)
    throw meaningless(`SSH tests dst contains disallowed element "${word}"`)
  return targets
}

function actionsFor(
  user: string,
  source: Member,
  target: Member,
  rules: readonly PreparedSshRule[],
  { network }: Stage,
): readonly string[] {
  return rules
    .filter(({ sourcesAt }) => sourcesAt(target).includes(source))
    .filter(({ rule }) => mayBecome(source, user, rule, network))
    .map(({ rule }) => rule.action)
}
