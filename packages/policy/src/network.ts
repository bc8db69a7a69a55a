// The network that a policy is about: its users and nodes, and who of them a selector means.
import { hostPrefix, parseAddress, parsePrefix, type Prefix, prefixContains } from '@mesh/wire/ip'
import type { DevicePosture } from './language/postures.ts'
import type { Selector } from './language/selector.ts'

/** What the compiler needs to know of a user. */
export interface PolicyUser {
  /** The user's number. */
  readonly id: number
  /** The login name. A policy may write it with an `@` at its end. */
  readonly name: string
  /** The mail address, if there is one. */
  readonly email?: string | undefined
}

/** What the compiler needs to know of a node. */
export interface PolicyNode {
  /** The node's number; the answers are keyed by it. */
  readonly id: number
  /** The number of the user who owns it, or `undefined` when tags own it. */
  readonly user: number | undefined
  /** Its tags, each as `tag:name`. */
  readonly tags: readonly string[]
  /** Its own addresses, as text without a prefix length. */
  readonly addresses: readonly string[]
  /** The subnet routes approved for it, in CIDR text; those of an exit node among them. */
  readonly routes: readonly string[]
  /** What its device is like, by attribute: `node:os`, `custom:tier`, …; only policies that ask for it look. */
  readonly posture?: DevicePosture
}

/** A node, with its addresses read. */
export interface Member {
  readonly node: PolicyNode
  readonly addresses: readonly Prefix[]
  /** Its approved routes, without those of an exit node. */
  readonly subnets: readonly Prefix[]
  /** Whether it may be a way out to the internet. */
  readonly isExit: boolean
}

/** Users and nodes, by what selectors ask for. */
export class Network {
  /** All nodes, by number. */
  readonly members: ReadonlyMap<number, Member>
  readonly #users: readonly PolicyUser[]
  readonly #byUser = new Map<number, Member[]>()
  readonly #byTag = new Map<string, Member[]>()
  readonly #untagged: Member[] = []
  readonly #tagged: Member[] = []
  readonly #byId = new Map<number, PolicyUser>()
  readonly #logins = new Map<string, PolicyUser>()
  readonly #lists = new Map<string, readonly string[]>()

  constructor(nodes: readonly PolicyNode[], users: readonly PolicyUser[]) {
    this.#users = users
    for (const user of users) {
      this.#byId.set(user.id, user)
      for (const login of loginsOf(user)) if (!this.#logins.has(login)) this.#logins.set(login, user)
    }
    this.members = new Map(nodes.map((node) => [node.id, memberOf(node)]))
    for (const member of this.members.values()) this.#index(member)
  }

  /** Returns the nodes of a user that have no tag. */
  ownedBy(user: number): readonly Member[] {
    return this.#byUser.get(user) ?? []
  }

  /** Returns the user of a login name or a mail address. */
  userNamed(login: string): PolicyUser | undefined {
    return this.#logins.get(login)
  }

  /** Returns the user with a number. */
  userById(id: number): PolicyUser | undefined {
    return this.#byId.get(id)
  }

  /** Returns the nodes that a selector means by who they are; `undefined` for one that means addresses. */
  identified(selector: Selector): readonly Member[] | undefined {
    switch (selector.kind) {
      case 'users':
        return selector.logins.flatMap((login) => this.#nodesOf(this.userNamed(login)))
      case 'domain':
        return this.#users
          .filter(({ email }) => email?.endsWith(`@${selector.domain}`))
          .flatMap((user) => this.#nodesOf(user))
      case 'tag':
        return this.#byTag.get(selector.tag) ?? []
      case 'autogroup':
        if (selector.name === 'member') return this.#untagged
        return selector.name === 'tagged' ? this.#tagged : undefined
      default:
        return undefined
    }
  }

  /** Returns the one list of all that have these texts: long lists are told apart by what they are, not by what they say. */
  oneList(texts: readonly string[]): readonly string[] {
    const key = texts.join()
    const known = this.#lists.get(key) ?? texts
    this.#lists.set(key, known)
    return known
  }

  #nodesOf(user: PolicyUser | undefined): readonly Member[] {
    return user ? this.ownedBy(user.id) : []
  }

  #index(member: Member): void {
    const { tags, user } = member.node
    for (const tag of tags) push(this.#byTag, tag, member)
    if (tags.length > 0) this.#tagged.push(member)
    else this.#untagged.push(member)
    if (tags.length === 0 && user !== undefined) push(this.#byUser, user, member)
  }
}

/** Tells whether a login, as a policy writes it, is a user's. */
export function isLoginOf(user: PolicyUser, login: string): boolean {
  return loginsOf(user).includes(login)
}

/** Returns how a policy may write a user. */
function loginsOf({ name, email }: PolicyUser): readonly string[] {
  return email === undefined ? [name, `${name}@`] : [email, name, `${name}@`]
}

/** Tells whether two blocks of addresses have any in common. */
export function overlap(a: Prefix, b: Prefix): boolean {
  return a.bits <= b.bits ? prefixContains(a, b.address) : prefixContains(b, a.address)
}

function memberOf(node: PolicyNode): Member {
  const addresses = node.addresses.map((text) => parseAddress(text)).filter((each) => each !== undefined)
  const routes = node.routes.map((text) => parsePrefix(text)).filter((each) => each !== undefined)
  return {
    node,
    addresses: addresses.map((address) => hostPrefix(address)),
    subnets: routes.filter((route) => route.bits > 0),
    isExit: routes.some((route) => route.bits === 0),
  }
}

function push<K>(map: Map<K, Member[]>, key: K, member: Member): void {
  const known = map.get(key)
  if (known) known.push(member)
  else map.set(key, [member])
}
