// Where the tests of a policy play: the network as it is, and beside it two devices for every user and tag, and for somebody
// who is neither. Tests are about kinds of nodes, so they must not depend on which of them happen to exist.
import { parseAddress, prefixContains } from '@mesh/wire/ip'
import type { DevicePosture } from './language/postures.ts'
import { parseSelector, type Selector } from './language/selector.ts'
import type { Names } from './language/names.ts'
import { type Member, Network, type PolicyNode, type PolicyUser } from './network.ts'

/** A user and a tag that no policy names. */
const ANYBODY: PolicyUser = { id: -1, name: '' }
const ANY_TAG = 'tag:'

/** The cast of a policy's tests. */
export class Stage {
  /** Everybody. */
  readonly network: Network
  readonly #names: Names
  readonly #real: readonly PolicyNode[]

  /** @param posture - What the devices of the stage are like. */
  constructor(
    names: Names,
    nodes: readonly PolicyNode[],
    users: readonly PolicyUser[],
    posture: DevicePosture = {},
  ) {
    this.#names = names
    this.#real = nodes
    const owners = [...users, ANYBODY].map(({ id }) => ({ user: id, tags: [] as string[] }))
    const tags = [...names.tagOwners.keys(), ANY_TAG].map((tag) => ({ user: undefined, tags: [tag] }))
    const actors = [...owners, ...tags].flatMap((kind, index) => [
      { ...device(kind, 2 * index), posture },
      { ...device(kind, 2 * index + 1), posture },
    ])
    this.network = new Network([...nodes, ...actors], [...users, ANYBODY])
  }

  /** Returns what a word in a test means, or `undefined` when it means nothing. */
  selector(word: string): Selector | undefined {
    const selector = parseSelector(word, this.#names)
    return typeof selector === 'string' ? undefined : selector
  }

  /** Returns one device for each of whom a selector means; none when it means nobody, or more than one address. */
  actors(selector: Selector): readonly Member[] {
    switch (selector.kind) {
      case 'any':
        return this.#devicesOf(ANYBODY)
      case 'users':
        return selector.logins.flatMap((login) => this.#devicesOf(this.network.userNamed(login)))
      case 'addresses':
        return this.#atAddress(selector)
      case 'autogroup':
        return this.#ofAutogroup(selector.name)
      default:
        return this.network.identified(selector)?.filter(isActor).slice(0, 1) ?? []
    }
  }

  /** Returns the other device of the same owner. */
  twin({ node }: Member): Member | undefined {
    const { user } = node
    return user === undefined ? undefined : this.network.ownedBy(user).filter(isActor)[1]
  }

  #devicesOf(user: PolicyUser | undefined): readonly Member[] {
    return user ? this.network.ownedBy(user.id).filter(isActor).slice(0, 1) : []
  }

  #ofAutogroup(name: string): readonly Member[] {
    if (name === 'member' || name === 'danger-all') return this.#devicesOf(ANYBODY)
    if (name === 'tagged') return this.actors({ kind: 'tag', tag: ANY_TAG })
    return name === 'internet' ? [EXIT] : []
  }

  /** The node that has it or routes it, else somebody who is nobody of the network. */
  #atAddress({ prefix }: Extract<Selector, { kind: 'addresses' }>): readonly Member[] {
    if (prefix.bits < prefix.address.length * 8) return []
    const members = this.#real
      .map(({ id }) => this.network.members.get(id))
      .filter((each) => each !== undefined)
    const owner = members.find(({ addresses, subnets }) =>
      [...addresses, ...subnets].some((own) => prefixContains(own, prefix.address)),
    )
    return [owner ?? { node: OUTSIDER, addresses: [prefix], subnets: [], isExit: false }]
  }
}

const OUTSIDER: PolicyNode = { id: 0, user: undefined, tags: [], addresses: [], routes: [] }
const SOMEWHERE = parseAddress('1.1.1.1')!
/** Somebody by whom one comes to an address of the internet. */
const EXIT: Member = {
  node: OUTSIDER,
  addresses: [{ address: SOMEWHERE, bits: 32 }],
  subnets: [],
  isExit: true,
}

/** Devices of the stage have numbers that no node has, and addresses at the end of what nodes can have. */
function device({ user, tags }: Pick<PolicyNode, 'user' | 'tags'>, index: number): PolicyNode {
  const number = index + 1
  const low = [(number >> 8) & 0xff, number & 0xff] as const
  const addresses = [`100.115.${80 + (low[0] % 12)}.${low[1]}`, `fd7a:115c:a1e0:ffff::${number.toString(16)}`]
  return { id: -number, user, tags, addresses, routes: [] }
}

function isActor({ node }: Member): boolean {
  return node.id < 0
}
