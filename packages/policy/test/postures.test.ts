// What devices have to be like, as policies ask it (control §7.11).
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compile,
  type DevicePosture,
  type PolicyNode,
  PolicyError,
  readPolicy,
  testPolicy,
} from '../src/index.ts'

const users = [
  { id: 1, name: 'ann' },
  { id: 2, name: 'bob' },
]
const node = (
  id: number,
  user: number,
  posture?: DevicePosture,
  routes: readonly string[] = [],
): PolicyNode => ({
  id,
  user,
  tags: [],
  addresses: [`100.64.0.${id}`],
  routes,
  ...(posture ? { posture } : {}),
})

/** Tells whether a device like this gets through to port 22. */
function isFit(assertions: readonly string[], posture?: DevicePosture): boolean {
  const policy = readPolicy(
    JSON.stringify({
      postures: { 'posture:fit': assertions },
      acls: [{ action: 'accept', src: ['ann@'], dst: ['bob@:22'], srcPosture: ['posture:fit'] }],
    }),
  )
  const compiled = compile(policy, [node(1, 1, posture), node(2, 2)], users)
  const rules = compiled.forNode(2)?.packetFilter ?? []
  expect(compiled.forNode(1)?.sees(2)).toBe(rules.length > 0)
  return rules.length > 0
}

test.each([
  ["node:os == 'linux'", { 'node:os': 'linux' }, true],
  ["node:os == 'linux'", { 'node:os': 'windows' }, false],
  ['node:os == "linux"', {}, false],
  ["node:os != 'linux'", { 'node:os': 'windows' }, true],
  ["node:os != 'linux'", {}, false],
  ["node:os IN ['macos', 'linux']", { 'node:os': 'linux' }, true],
  ["node:os in ['macos','linux']", { 'node:os': 'ios' }, false],
  ["node:os NOT IN ['macos', 'linux']", { 'node:os': 'ios' }, true],
  ["node:os NOT IN ['ios']", {}, false],
  ["node:osVersion >= '13'", { 'node:osVersion': '13.0.1' }, true],
  ["node:osVersion >= '13.4'", { 'node:osVersion': '13.10' }, true],
  ["node:osVersion < '13.4'", { 'node:osVersion': '13.10' }, false],
  ["node:tsVersion > '1.98.2'", { 'node:tsVersion': '1.98.2' }, false],
  ["node:tsVersion <= '1.98.2'", { 'node:tsVersion': '1.98.2' }, true],
  ["node:osVersion >= '13'", { 'node:osVersion': 'thirteen' }, false],
  ['node:tsAutoUpdate == true', { 'node:tsAutoUpdate': true }, true],
  ["node:tsAutoUpdate == 'true'", { 'node:tsAutoUpdate': true }, false],
  ['custom:level >= 3', { 'custom:level': 3 }, true],
  ['custom:level >= 3', { 'custom:level': '3' }, false],
  ['custom:level > -5', { 'custom:level': -4 }, true],
  ['custom:tier IS SET', { 'custom:tier': 'x' }, true],
  ['custom:tier IS SET', {}, false],
  ['custom:tier NOT SET', {}, true],
  ['custom:tier NOT  SET', { 'custom:tier': false }, false],
] as const)('%s of %j is %s', (assertion, posture, fit) => {
  expect(isFit([assertion], posture)).toBe(fit)
})

test('all of a posture must hold, and one of several postures', () => {
  const both = ["node:os == 'linux'", 'custom:tier IS SET']
  expect(isFit(both, { 'node:os': 'linux' })).toBe(false)
  expect(isFit(both, { 'node:os': 'linux', 'custom:tier': 'x' })).toBe(true)
  expect(isFit(both)).toBe(false)
  const policy = readPolicy(
    `{ "postures": { "posture:a": ["node:os == 'linux'"], "posture:b": ["custom:vip == true"] },
       "defaultSrcPosture": ["posture:a", "posture:b"],
       "acls": [{ "action": "accept", "src": ["*"], "dst": ["*:22"] }] }`,
  )
  const nodes = [node(1, 1, { 'node:os': 'linux' }), node(2, 2, { 'custom:vip': true }), node(3, 2, {})]
  const sources = compile(policy, nodes, users)
    .forNode(3)
    ?.packetFilter.map(({ SrcIPs }) => SrcIPs)
  expect(sources).toEqual([['100.64.0.1', '100.64.0.2']])
})

test('a posture is asked of devices: neither addresses that are none, nor what is behind a router, has any', () => {
  const policy = readPolicy(
    `{ "postures": { "posture:a": ["node:os == 'linux'"] },
       "acls": [{ "action": "accept", "src": ["10.0.0.0/8", "100.64.0.1", "autogroup:danger-all"], "dst": ["bob@:22"], "srcPosture": ["posture:a"] }] }`,
  )
  const nodes = [node(1, 1, { 'node:os': 'linux' }, ['10.0.0.0/8']), node(2, 2)]
  expect(compile(policy, nodes, users).forNode(2)?.packetFilter).toMatchObject([{ SrcIPs: ['100.64.0.1'] }])
})

test('grants and SSH logins ask too', () => {
  const policy = readPolicy(
    `{ "postures": { "posture:a": ["node:os == 'linux'"] },
       "grants": [{ "src": ["autogroup:member"], "dst": ["autogroup:self"], "ip": ["*"], "srcPosture": ["posture:a"] }],
       "ssh": [{ "action": "check", "src": ["ann@"], "dst": ["autogroup:self"], "users": ["root"], "srcPosture": ["posture:a"] }] }`,
  )
  const nodes = [node(1, 1, { 'node:os': 'linux' }), node(2, 1, { 'node:os': 'ios' }), node(3, 1)]
  const compiled = compile(policy, nodes, users)
  const third = compiled.forNode(3)
  expect(third?.packetFilter).toMatchObject([{ SrcIPs: ['100.64.0.1'] }])
  expect(third?.sshPolicy.rules?.map(({ principals }) => principals)).toEqual([[{ nodeIP: '100.64.0.1' }]])
  expect([third?.sshCheckPeriod(1, 'root'), third?.sshCheckPeriod(2, 'root')]).toEqual([
    expect.any(Number),
    undefined,
  ])
})

test('a test of a policy says what its source is like', () => {
  const policy = (attributes: string): string => `{
    "tagOwners": { "tag:web": [] },
    "postures": { "posture:a": ["node:os == 'linux'"] },
    "acls": [{ "action": "accept", "src": ["ann@"], "dst": ["tag:web:22"], "srcPosture": ["posture:a"] }],
    "tests": [{ "src": "ann@", ${attributes} }] }`
  const run = (text: string): void => testPolicy(readPolicy(policy(text)), [], users)
  expect(() => run('"accept": ["tag:web:22"], "srcPostureAttrs": { "node:os": "linux" }')).not.toThrow()
  expect(() => run('"deny": ["tag:web:22"], "srcPostureAttrs": { "node:os": "ios" }')).not.toThrow()
  expect(() => run('"deny": ["tag:web:22"]')).not.toThrow()
  expect(() => run('"accept": ["tag:web:22"]')).toThrow('test(s) failed')
})

describe('what is no posture is refused', () => {
  test.each([
    ['node:os', /not an attribute, an operator and a value$/],
    ["node:os = 'linux'", /not an attribute, an operator and a value$/],
    ["ip:country == 'CA'", /attribute ip:country is not known here$/],
    ["node:shoe == 'x'", /attribute node:shoe is not known here$/],
    ['node:os == linux', /the value cannot be read$/],
    ["node:os IN 'linux'", /the value cannot be read$/],
    ['node:os IN []', /the value cannot be read$/],
    ["node:os IN ['a' 'b']", /the value cannot be read$/],
    ["node:os == 'a' 'b'", /the value cannot be read$/],
    ["node:os IS SET 'a'", /the value cannot be read$/],
    ['node:tsAutoUpdate < true', /true and false have no order$/],
  ])('%s', (assertion, sentence) => {
    expect(() => isFit([assertion])).toThrow(sentence)
  })

  test('nor is one that is empty, has another name, or is not there', () => {
    expect(() => readPolicy('{"postures":{"posture:a":[]}}')).toThrow('a posture cannot be empty')
    expect(() => readPolicy('{"postures":{"a":["node:os IS SET"]}}')).toThrow('must start with "posture:"')
    expect(() => readPolicy('{"defaultSrcPosture":["posture:x"]}')).toThrow('posture not found: "posture:x"')
  })

  test('no text makes reading one fail but by a sentence', () => {
    const outcome = (text: string): boolean => {
      try {
        readPolicy(JSON.stringify({ postures: { 'posture:a': [text] } }))
        return true
      } catch (error) {
        return error instanceof PolicyError
      }
    }
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('', 'node:os ', 'node:os IN [', "custom:a >= '"),
        (text, head) => {
          expect(outcome(head + text)).toBe(true)
        },
      ),
    )
  })
})
