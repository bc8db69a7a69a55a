// Logging in against a reference model: a few machines, node keys and auth keys, everything that can be asked in any
// order. The model is written from the protocol's words (control §3.1.3, §3.1.4) with plain ifs, and knows nothing of
// tables, records or stores.

import { LOGOUT_EXPIRY } from '@mesh/wire/control'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hexOf, World } from './support.ts'

const HOUR = 3600_000
/** The auth keys of a run, by what is special about them. */
const KEYS = [
  { user: 'ann', reusable: true },
  { user: 'ann' },
  { user: 'ann' },
  { user: 'bob', reusable: true },
  { user: 'bob', reusable: true, ephemeral: true },
  { user: 'ann', tags: ['tag:a'], reusable: true },
  { user: 'bob', reusable: true, lifetime: HOUR },
] as const

type Answer = 'in' | 'log in on the page' | 'make a new key' | 'out' | `refused: ${string}`

interface ModelNode {
  readonly number: number
  readonly machine: number
  owner: string
  nodeKey: number
  expires: number
  ephemeral: boolean
}

/** What ought to happen. */
class Model {
  nodes: ModelNode[] = []
  readonly used = new Set<number>()
  /** Logins that wait, and when their key is to end. */
  readonly pages = new Map<string, number>()
  now = 0
  #made = 0

  register(
    machine: number,
    nodeKey: number,
    authKey: number | undefined,
    wish: 'none' | 'soon' | 'past',
  ): Answer {
    const node = this.nodes.find((each) => each.nodeKey === nodeKey)
    if (node && node.machine !== machine) return 'refused: node exists with a different machine key'
    if (wish === 'past') {
      if (node?.ephemeral) this.nodes = this.nodes.filter((each) => each !== node)
      else if (node) node.expires = Math.min(node.expires, this.now)
      return node ? 'make a new key' : 'out'
    }
    const until = wish === 'soon' ? this.now + HOUR : Infinity
    if (node && node.expires > this.now) {
      if (!node.owner.startsWith('tag:')) node.expires = Math.min(node.expires, until)
      return 'in'
    }
    if (authKey === undefined) {
      if (node) return 'make a new key'
      this.pages.set(`${machine} ${nodeKey}`, until)
      return 'log in on the page'
    }
    const key = KEYS[authKey]
    if (!key) return 'refused: invalid authkey'
    if ('lifetime' in key && this.now >= key.lifetime) return 'refused: authkey expired'
    if (!('reusable' in key) && this.used.has(authKey)) return 'refused: authkey already used'
    const owner = 'tags' in key ? 'tag:a' : key.user
    const answer = this.#admit(machine, nodeKey, owner, 'ephemeral' in key, until)
    if (answer === 'in') this.used.add(authKey)
    return answer
  }

  approve(machine: number, nodeKey: number, user: string): boolean {
    const until = this.pages.get(`${machine} ${nodeKey}`)
    if (until === undefined) return false
    this.pages.delete(`${machine} ${nodeKey}`)
    return this.#admit(machine, nodeKey, user, false, until) === 'in'
  }

  /** A machine has one node an owner; a node key names one node. */
  #admit(machine: number, nodeKey: number, owner: string, ephemeral: boolean, until: number): Answer {
    const holder = this.nodes.find((each) => each.nodeKey === nodeKey)
    const same = this.nodes.find((each) => each.machine === machine && each.owner === owner)
    if (holder && holder !== same) return 'make a new key'
    const expires = owner.startsWith('tag:') ? Infinity : until
    if (same) Object.assign(same, { nodeKey, expires, ephemeral })
    else this.nodes.push({ number: (this.#made += 1), machine, owner, nodeKey, expires, ephemeral })
    return 'in'
  }
}

const MACHINES = 3
const machine = fc.integer({ min: 1, max: MACHINES })
const nodeKey = fc.integer({ min: 1, max: 4 })
const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('register' as const),
      machine,
      nodeKey,
      authKey: fc.option(fc.integer({ min: 0, max: KEYS.length }), { nil: undefined }),
      wish: fc.constantFrom('none' as const, 'none' as const, 'soon' as const, 'past' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('approve' as const), machine, nodeKey, bob: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('expire' as const), nodeKey }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('extend' as const), nodeKey }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('delete' as const), nodeKey }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('wait' as const), hours: fc.constantFrom(0.1, 0.2, 2) }),
  },
)
type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never

/** The server, asked the same. */
class Real {
  readonly world = new World({ ephemeralTimeout: 1000 * HOUR })
  readonly #keys: readonly string[]
  readonly #pages = new Map<string, string>()
  readonly #began = this.world.wall

  constructor() {
    for (const name of ['ann', 'bob']) this.world.user(name)
    this.#keys = KEYS.map((key) => this.world.key(key))
  }

  register(number: number, key: number, authKey: number | undefined, wish: 'none' | 'soon' | 'past'): Answer {
    const { world } = this
    const fake = world.machine(number)
    fake.nodeKey = nodeKeyText(key)
    const Expiry = wish === 'past' ? LOGOUT_EXPIRY : new Date(world.wall + HOUR).toISOString()
    const text = authKey === undefined ? undefined : (this.#keys[authKey] ?? 'nonsense')
    const answer = fake.login(text, wish === 'none' ? {} : { Expiry })
    if (answer.Error !== '') return `refused: ${answer.Error}`
    if (answer.AuthURL !== '') {
      this.#pages.set(`${number} ${key}`, answer.AuthURL.slice(-32))
      return 'log in on the page'
    }
    if (answer.NodeKeyExpired) return 'make a new key'
    return answer.MachineAuthorized ? 'in' : 'out'
  }

  approve(number: number, key: number, user: string): boolean {
    try {
      this.world.coordinator.logins.approve(this.#pages.get(`${number} ${key}`) ?? '', user, this.world.now)
      return true
    } catch {
      return false
    }
  }

  /** Does something to the node with a key, if there is one. */
  administer(key: number, work: (id: number) => void): void {
    const found = this.world.coordinator.nodes.all().find(({ node }) => node.nodeKey === nodeKeyText(key))
    if (found) work(found.node.id)
    this.world.collect()
  }

  /** What there is, in the model's words, and the addresses. */
  nodes(): { readonly node: ModelNode & { readonly expired: boolean }; readonly address: string }[] {
    return this.world.coordinator.nodes.all().map(({ node, userName, expired }) => ({
      address: node.ipv4,
      node: {
        number: node.id,
        machine: Number.parseInt(node.machineKey.slice(5), 16),
        owner: node.tags[0] ?? userName,
        nodeKey: Number.parseInt(node.nodeKey.slice(8), 16) - 500,
        expires: node.expiresAt === undefined ? Infinity : node.expiresAt - this.#began,
        expired,
        ephemeral: node.ephemeral,
      },
    }))
  }
}

function nodeKeyText(key: number): string {
  return `nodekey:${hexOf(500 + key)}`
}

/** Does one thing at both. Returns what either said. */
function play(step: Step, model: Model, real: Real): readonly [said: unknown, meant: unknown] {
  const { coordinator } = real.world
  switch (step.what) {
    case 'register': {
      const { machine: who, nodeKey: key, authKey, wish } = step
      return [real.register(who, key, authKey, wish), model.register(who, key, authKey, wish)]
    }
    case 'approve': {
      const user = step.bob ? 'bob' : 'ann'
      const approved = real.approve(step.machine, step.nodeKey, user)
      return [approved, model.approve(step.machine, step.nodeKey, user)]
    }
    case 'expire':
      real.administer(step.nodeKey, (id) => coordinator.nodes.expire(id, real.world.now))
      for (const node of model.nodes) if (node.nodeKey === step.nodeKey) node.expires = model.now
      return [true, true]
    case 'extend':
      real.administer(step.nodeKey, (id) => coordinator.nodes.expire(id, real.world.now, 'never'))
      for (const node of model.nodes) if (node.nodeKey === step.nodeKey) node.expires = Infinity
      return [true, true]
    case 'delete':
      real.administer(step.nodeKey, (id) => coordinator.nodes.delete(id, real.world.now))
      model.nodes = model.nodes.filter((node) => node.nodeKey !== step.nodeKey)
      return [true, true]
    case 'wait':
      real.world.advance(step.hours * HOUR)
      model.now += step.hours * HOUR
      // A page waits a quarter of an hour from when it was asked for last; these waits leave it well inside or outside.
      if (step.hours > 1) model.pages.clear()
      return [true, true]
  }
}

test('control 13–28: whatever machines ask in whatever order, they are answered and remembered as the model says', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const [model, real] = [new Model(), new Real()]
      const addresses = new Map<number, string>()
      let waited = 0
      for (const each of steps) {
        if (each.what === 'wait' && each.hours < 1 && (waited += each.hours) > 0.2) continue
        if (each.what === 'wait' && each.hours > 1) waited = 0
        const [said, meant] = play(each, model, real)
        expect(said).toEqual(meant)
        const nodes = real.nodes()
        expect(nodes.map(({ node }) => node)).toEqual(
          model.nodes.map((node) => ({ ...node, expired: node.expires <= model.now })),
        )
        for (const {
          node: { number },
          address,
        } of nodes) {
          expect(addresses.get(number) ?? address).toBe(address)
          addresses.set(number, address)
        }
      }
      expect(new Set(addresses.values()).size).toBe(addresses.size)
    }),
    { numRuns: 300 },
  )
})
