// Who reaches whom. What a rule says of a node is worked out once for each node, as sets of rules, and not once for each pair
// of nodes, of which there are millions. Nodes of which all rules say the same are of one kind: they see the same others.
import { parsePrefix } from '@mesh/wire/ip'
import type { PreparedRule } from './filter-rules.ts'
import type { Member, Network } from './network.ts'
import { bitsWhere, meet, meetAll, type RuleBits } from './rule-bits.ts'

/** What the rules say of one node. */
interface Standing {
  /** The rules among whose sources it is. */
  readonly from: RuleBits
  /** The rules that let their sources reach it. */
  readonly to: RuleBits
  /** The rules for packets that have a destination at it or behind it, whichever router they want taken. */
  readonly at: RuleBits
  /** The rules that take it for a router: all that name none, and those that name a tag of its. */
  readonly via: RuleBits
  /** Whether it reaches the other devices of its owner for being theirs. */
  readonly reachesOwn: boolean
  /** Who owns it, when no tag does. */
  readonly owner: number | undefined
}

/** What the rules for packets say of a route. */
interface RouteStanding {
  /** Those that have a destination in it. */
  readonly to: RuleBits
  /** Those that have a source in it. */
  readonly from: RuleBits
}

/** Answers who reaches whom, of one compilation. */
export class Reach {
  readonly #network: Network
  readonly #rules: readonly PreparedRule[]
  readonly #self: RuleBits
  readonly #standings = new Map<number, Standing>()
  readonly #routes = new Map<string, RouteStanding | undefined>()
  /** Whether any device of an owner reaches the others. */
  readonly #sharing = new Map<number, boolean>()
  readonly #kinds = new Map<string, number>()

  constructor(rules: readonly PreparedRule[], network: Network) {
    this.#rules = rules
    this.#network = network
    this.#self = bitsWhere(rules, ({ isSelf }) => isSelf)
  }

  /** Tells whether either of two nodes reaches the other; nobody reaches who is not there. */
  joins(a: number, b: number): boolean {
    const [one, other] = [this.#standing(a), this.#standing(b)]
    if (!one || !other) return false
    if (meet(one.from, other.to) || meet(other.from, one.to)) return true
    return (one.reachesOwn || other.reachesOwn) && one.owner !== undefined && one.owner === other.owner
  }

  /** Tells whether packets may go between a node and what lies behind a router, by a route in CIDR text. */
  leadsOver(node: number, router: number, route: string): boolean {
    const [one, other, way] = [this.#standing(node), this.#standing(router), this.#route(route)]
    if (!one || !other || !way) return false
    return meetAll(one.from, way.to, other.via) || meet(way.from, one.at)
  }

  /** Returns the number of a node's kind: two of a kind see the same others and the same of their routes. */
  kindOf(node: number): number {
    const one = this.#standing(node)
    if (!one) return -1
    const owner = one.owner !== undefined && this.#shares(one.owner) ? one.owner : ''
    const key = `${one.from.join()} ${one.to.join()} ${one.at.join()} ${owner}`
    const known = this.#kinds.get(key) ?? this.#kinds.size
    this.#kinds.set(key, known)
    return known
  }

  /** Tells whether a node sees others of its kind. */
  seesAlike(node: number): boolean {
    const one = this.#standing(node)
    return one !== undefined && (meet(one.from, one.to) || (one.reachesOwn && one.owner !== undefined))
  }

  #shares(owner: number): boolean {
    const known =
      this.#sharing.get(owner) ??
      this.#network.ownedBy(owner).some(({ node }) => this.#standing(node.id)?.reachesOwn === true)
    this.#sharing.set(owner, known)
    return known
  }

  #standing(id: number): Standing | undefined {
    const known = this.#standings.get(id)
    if (known) return known
    const member = this.#network.members.get(id)
    if (!member) return undefined
    const made = this.#standingOf(member)
    this.#standings.set(id, made)
    return made
  }

  #standingOf(member: Member): Standing {
    const { tags, user } = member.node
    const isVia = ({ rule }: PreparedRule): boolean =>
      rule.via.length === 0 || rule.via.some((tag) => tags.includes(tag))
    const isAt = ({ targets }: PreparedRule): boolean => targets.some((target) => target.has(member))
    const from = bitsWhere(this.#rules, ({ sources }) => sources.has(member))
    return {
      from,
      to: bitsWhere(this.#rules, (rule) => isVia(rule) && isAt(rule)),
      at: bitsWhere(this.#rules, (rule) => isForPackets(rule) && isAt(rule)),
      via: bitsWhere(this.#rules, isVia),
      reachesOwn: meet(from, this.#self),
      owner: tags.length > 0 ? undefined : user,
    }
  }

  #route(text: string): RouteStanding | undefined {
    if (this.#routes.has(text)) return this.#routes.get(text)
    const route = parsePrefix(text)
    const made = route && {
      to: bitsWhere(
        this.#rules,
        (each) => isForPackets(each) && each.targets.some((target) => target.covers(route)),
      ),
      from: bitsWhere(
        this.#rules,
        (each) => route.bits > 0 && isForPackets(each) && each.sources.covers(route),
      ),
    }
    this.#routes.set(text, made)
    return made
  }
}

/** Other rules are about what applications let each other do. */
function isForPackets({ rule }: PreparedRule): boolean {
  return !rule.capabilities
}
