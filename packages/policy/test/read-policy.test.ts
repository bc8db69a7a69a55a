import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile, type PolicyNode, PolicyError, readPolicy, testPolicy } from '../src/index.ts'

const ann = { id: 1, name: 'ann', email: 'ann@example.com' }
const bob = { id: 2, name: 'bob' }
const node = (id: number, change: Partial<PolicyNode> = {}): PolicyNode => ({
  id,
  user: 1,
  tags: [],
  addresses: [`100.64.0.${id}`],
  routes: [],
  ...change,
})

test('control 53: comments and trailing commas are taken, and the names of fields in any case', () => {
  const policy = readPolicy(`{
    // who may reach what
    "ACLs": [{ "Action": "accept", "src": ["ann@"], "dst": ["*:22"], },], /* no more */
  }`)
  expect(policy.rules).toHaveLength(1)
})

test('control 53: an unknown field is refused with its line', () => {
  expect(() => readPolicy('{\n"acls": [],\n"aclz": []\n}')).toThrow('line 3: unknown field "aclz"')
  expect(() => readPolicy('{"acls":[{"action":"accept","srcs":[]}]}')).toThrow('unknown field "srcs"')
})

test('a field that begins with # is a remark', () => {
  expect(readPolicy('{"acls":[{"#":"why","action":"accept","src":["*"],"dst":["*:*"]}]}').rules).toHaveLength(
    1,
  )
})

test('a field that stands twice is refused, and so is a name', () => {
  expect(() => readPolicy('{"acls":[],"ACLS":[]}')).toThrow('stands here twice')
  expect(() => readPolicy('{"hosts":{"a":"10.0.0.1","a":"10.0.0.2"}}')).toThrow('"a" stands here twice')
})

test('what is no HuJSON is refused with its line', () => {
  expect(() => readPolicy('{\n"acls": [}')).toThrow(/^line 2: this is not HuJSON: /)
  expect(() => readPolicy('')).toThrow(PolicyError)
})

test('threat 34: a policy that is too deep or too long is refused before it is read', () => {
  expect(() => readPolicy('['.repeat(100_000))).toThrow('too deep')
  expect(() => readPolicy(`"${'x'.repeat(5 << 20)}"`)).toThrow('too long')
})

test('threat 34: names of prototypes are names like others', () => {
  const policy = readPolicy('{"hosts":{"__proto__":"10.0.0.1","constructor":"10.0.0.2"},"acls":[]}')
  expect([...policy.names.hosts.keys()]).toEqual(['__proto__', 'constructor'])
  expect(Object.hasOwn(Object.prototype, '10.0.0.1')).toBe(false)
})

test('threat 34: no text makes the reader do anything but read or refuse', () => {
  const word = fc.constantFrom(
    '*',
    'ann@',
    'tag:a',
    'group:g',
    'autogroup:self',
    '10.0.0.0/8',
    'x',
    '',
    ':',
    '::1:22',
  )
  const list = fc.array(word, { maxLength: 3 })
  const rule = fc.record({
    action: word,
    src: list,
    dst: list,
    ip: list,
    proto: word,
    via: list,
    users: list,
  })
  const document = fc.record({
    acls: fc.array(rule),
    grants: fc.array(rule),
    ssh: fc.array(rule),
    tests: fc.array(rule),
  })
  const texts = fc.oneof(
    fc.string(),
    fc.json(),
    document.map((each) => JSON.stringify(each)),
  )
  fc.assert(
    fc.property(texts, (text) => {
      expect(trouble(() => readPolicy(text))).toSatisfy(
        (error) => error === undefined || error instanceof PolicyError,
      )
    }),
    { numRuns: 2000 },
  )
})

describe('control 54: a policy is tested by what it says it does', () => {
  const acls = '"acls":[{"action":"accept","src":["ann@example.com"],"dst":["tag:web:80,443"]}]'
  const policy = (tests: string): string => `{"tagOwners":{"tag:web":[]},${acls},"tests":[${tests}]}`

  test.each([
    ['{"src":"ann@example.com","accept":["tag:web:80"],"deny":["tag:web:22"]}', true],
    ['{"src":"ann@example.com","accept":["tag:web:80,443"]}', true],
    ['{"src":"ann@example.com","accept":["tag:web:80-443"]}', false],
    ['{"src":"ann@example.com","deny":["tag:web:1-100"]}', false],
    ['{"src":"ann@example.com","proto":"icmp","accept":["tag:web:*"]}', false],
    ['{"src":"bob@","accept":["tag:web:80"]}', false],
    ['{"src":"bob@","deny":["tag:web:80"]}', true],
    ['{"src":"nobody@","deny":["tag:web:80"]}', false],
    ['{"src":"tag:web","deny":["ann@example.com:1-65535"]}', true],
    ['{"src":"ann@example.com","accept":["tag:nowhere:80"]}', false],
    ['{"src":"ann@example.com","deny":["tag:nowhere:80"]}', false],
  ])('%s', (tests, passes) => {
    // There are no nodes: what a test says is about those that may come.
    const error = trouble(() => testPolicy(readPolicy(policy(tests)), [], [ann, bob]))
    expect(error instanceof PolicyError ? error.code : error).toBe(passes ? undefined : 'ERR_POLICY_TEST')
  })

  test('what fails is named', () => {
    const failing = readPolicy(policy('{"src":"bob@","accept":["tag:web:80"]}'))
    expect(() => testPolicy(failing, [], [ann, bob])).toThrow(
      expect.objectContaining({ details: ['"bob@" to "tag:web:80": expected accept'] }) as Error,
    )
  })
})

test('a verdict names the rule', () => {
  const policy = readPolicy('{"acls":[{"action":"accept","src":["bob@"],"dst":["ann@example.com:22"]}]}')
  const compiled = compile(policy, [node(1), node(2, { user: 2 })], [ann, bob])
  const flow = { source: '100.64.0.2', destination: '100.64.0.1', protocol: 6, port: 22 }
  expect(compiled.forNode(1)?.verdict(flow)).toEqual({ allowed: true, reason: 'It is allowed by acls[0].' })
  expect(compiled.forNode(1)?.verdict({ ...flow, port: 23 }).allowed).toBe(false)
})

test('seeing is mutual, and nobody sees who has nothing to do with them', () => {
  const policy = readPolicy('{"acls":[{"action":"accept","src":["bob@"],"dst":["ann@example.com:22"]}]}')
  const compiled = compile(policy, [node(1), node(2, { user: 2 }), node(3, { user: 3 })], [ann, bob])
  expect([compiled.forNode(1)?.sees(2), compiled.forNode(2)?.sees(1)]).toEqual([true, true])
  expect([compiled.forNode(1)?.sees(3), compiled.forNode(3)?.sees(1)]).toEqual([false, false])
})

test('routes are approved within a block by whom it names, a way out to everywhere only as one', () => {
  const policy = readPolicy(`{
    "tagOwners": { "tag:router": [] },
    "autoApprovers": { "routes": { "10.0.0.0/8": ["tag:router"], "0.0.0.0/0": ["tag:router"] }, "exitNode": ["ann@example.com"] },
  }`)
  const offered = ['10.1.0.0/16', '10.0.0.0/7', '0.0.0.0/0', 'nonsense']
  const compiled = compile(policy, [node(1), node(2, { user: undefined, tags: ['tag:router'] })], [ann])
  expect(compiled.forNode(1)?.approved(offered)).toEqual(['0.0.0.0/0'])
  expect(compiled.forNode(2)?.approved(offered)).toEqual(['10.1.0.0/16', '10.0.0.0/7'])
})

test('rules are worked out once for a node', () => {
  const compiled = compile(readPolicy('{"acls":[{"action":"accept","src":["*"],"dst":["*:*"]}]}'), [node(1)])
  expect(compiled.forNode(1)?.packetFilter).toBe(compiled.forNode(1)?.packetFilter)
  expect(compiled.forNode(1)?.sshPolicy).toBe(compiled.forNode(1)?.sshPolicy)
})

function trouble(run: () => unknown): unknown {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}
