// The compiler against what Tailscale's own server answered to the same policies over the same networks.
import type { FilterRule, SSHRule } from '@mesh/wire/control'
import { describe, expect, test } from 'vitest'
import { type CompiledPolicy, compile, readPolicy, testPolicy, type WrittenPolicy } from '../src/index.ts'
import { type CorpusCase, readCorpus } from './corpus.ts'

/** What this language leaves out, with its own sentence: pools of addresses, and roles of the original's console. */
const LEFT_OUT = new Map([
  ['nodeattrs-ippool-g2-group', 'ipPool is not supported: addresses are given by the server'],
  ['nodeattrs-ippool-g3-mixed', 'ipPool is not supported: addresses are given by the server'],
  ['nodeattrs-target-a10-autogroup-admin', 'unknown autogroup: "autogroup:admin"'],
])
/**
 * The capture says that a router's route is not approved, which it worked out from where the route shows; a route nobody may
 * reach shows nowhere.
 */
const HIDDEN_APPROVAL = new Set(['acl-h03'])

const corpus = readCorpus()
const taken = corpus.filter(({ id, refusal }) => refusal === undefined && !LEFT_OUT.has(id))
const refused = corpus.filter(({ refusal }) => refusal !== undefined)

function read({ text, domain, nodes, users }: CorpusCase): WrittenPolicy {
  const policy = readPolicy(text, { domains: [domain] })
  testPolicy(policy, nodes, users)
  return policy
}

function compileCase(one: CorpusCase): CompiledPolicy {
  return compile(read(one), one.nodes, one.users)
}

test('the corpus is whole', () => {
  expect([corpus.length, taken.length, refused.length]).toEqual([426, 352, 71])
})

describe('control 51: every node enforces the rules that were captured', () => {
  test.each(taken)('$id', (one) => {
    const compiled = compileCase(one)
    for (const [id, capture] of one.captures)
      expect(compiled.forNode(id)?.packetFilter.map(filled)).toEqual(
        (capture.packetFilterRules ?? []).map(filled),
      )
  })
})

describe('control 52: what was refused is refused with the same sentence', () => {
  test.each(refused)('$id', (one) => {
    expect(() => read(one)).toThrow(expect.objectContaining({ message: one.refusal }) as Error)
  })
  test.each([...LEFT_OUT])('%s is left out, and says so', (id, sentence) => {
    expect(() => read(corpus.find((one) => one.id === id)!)).toThrow(sentence)
  })
})

test('control 37: who sees whom is as captured, in every network', () => {
  for (const one of taken.filter(({ id }) => !HIDDEN_APPROVAL.has(id))) {
    const compiled = compileCase(one)
    for (const [id, { peers }] of one.captures) {
      const expected = new Set((peers ?? []).map((peer) => one.idOf(peer.ComputedName)))
      const seen = one.nodes.map((node) => node.id).filter((peer) => compiled.forNode(id)?.sees(peer))
      expect(new Set(seen), `${one.id}, node ${id}`).toEqual(expected)
    }
  }
})

test('control 37: nodes of one kind see the same others and the same of their routes, in every network', () => {
  let alike = 0
  for (const one of taken) {
    const compiled = compileCase(one)
    const look = (viewer: number, but: number): unknown =>
      one.nodes.map(({ id, routes }) => {
        const answer = compiled.forNode(viewer)
        return [id !== but && id !== viewer && answer?.sees(id), answer?.uses(id, routes)]
      })
    const pairs = one.nodes.flatMap((a) => one.nodes.filter((b) => a !== b).map((b) => [a.id, b.id] as const))
    for (const [a, b] of pairs) {
      const [first, second] = [compiled.forNode(a), compiled.forNode(b)]
      if (first?.kind !== second?.kind) continue
      alike += 1
      expect([first?.sees(b), second?.seesAlike]).toEqual([first?.seesAlike, first?.seesAlike])
      expect(look(a, b)).toEqual(look(b, a))
    }
  }
  expect(alike).toBeGreaterThan(1000)
})

test('every node’s SSH server goes by the rules that were captured', () => {
  for (const one of taken) {
    const compiled = compileCase(one)
    for (const [id, { sshPolicy }] of one.captures) {
      const rules = compiled.forNode(id)?.sshPolicy.rules ?? []
      expect(rules.map(unordered), `${one.id}, node ${id}`).toEqual((sshPolicy?.rules ?? []).map(unordered))
    }
  }
})

test('every attribute that a policy gives a node was captured with it', () => {
  let count = 0
  for (const one of taken) {
    const compiled = compileCase(one)
    for (const [id, { self }] of one.captures) {
      const given = compiled.forNode(id)?.attributes ?? {}
      expect(self.CapMap, `${one.id}, node ${id}`).toMatchObject(given)
      count += Object.keys(given).length
    }
  }
  expect(count).toBeGreaterThan(50)
})

/** A list that is left out is an empty one. */
function filled({ SrcIPs, DstPorts = [], IPProto = [], CapGrant = [] }: FilterRule): FilterRule {
  return { SrcIPs, DstPorts, IPProto, CapGrant }
}

/** Some captured addresses were renumbered after they were sorted. */
function unordered(rule: SSHRule): object {
  return { ...rule, principals: rule.principals?.map(({ nodeIP }) => nodeIP ?? '').toSorted() }
}
