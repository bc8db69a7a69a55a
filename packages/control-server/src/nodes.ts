// The nodes as an administrator has them: how each stands, and what is changed of it: its name, address, tags, expiry and
// the routes it may serve. The connected nodes hear of every change.

import { isTag } from './admin.ts'
import type { NodeChoice, NodeStatus } from './admin.ts'
import { ControlError, quoted } from './errors.ts'
import { sanitizeHostname } from './names.ts'
import type { Network } from './network.ts'
import { isExpired, isOnline } from './node-view.ts'
import type { CoordinatorOptions } from './options.ts'
import type { Policies } from './policies.ts'
import type { NodeRecord } from './records.ts'
import { chosenAddresses, holdersOf, refuseTaken } from './reservations.ts'
import { EXIT_ROUTES, isExitRoute, isInsideMesh, normalRoute, routesOf } from './routes.ts'

/** What the nodes of a network stand on. */
export interface NodesOptions extends Pick<CoordinatorOptions, 'baseDomain' | 'wallClock'> {
  /** The network whose nodes they are. */
  readonly network: Network
  /** The policy, which may approve routes. */
  readonly policies: Policies
  /** Tells a node that is about to be removed. */
  readonly farewell: (id: number, now: number) => void
  /** Has the others hear what changed. */
  readonly absorb: (now: number) => void
}

/** Shows and changes nodes. */
export class Nodes {
  readonly #options: NodesOptions
  readonly #network: Network

  constructor(options: NodesOptions) {
    this.#options = options
    this.#network = options.network
  }

  /** Returns all nodes. */
  all(): readonly NodeStatus[] {
    return [...this.#network.nodes()].map((node) => this.#statusOf(node))
  }

  /** Returns one node. Throws {@link ControlError} `ERR_CONTROL_NODE_UNKNOWN` when there is none. */
  status(id: number): NodeStatus {
    return this.#statusOf(this.known(id))
  }

  /** Returns the machine's node with this key, or `undefined` when there is none or it is another machine's. */
  ofMachine(machineKey: string, nodeKey: string): NodeRecord | undefined {
    const node = this.#network.nodeByKey(nodeKey)
    return node?.machineKey === machineKey ? node : undefined
  }

  /** Tells whether a machine has a node. */
  hasMachine(machineKey: string): boolean {
    return this.#network.nodesOfMachine(machineKey).length > 0
  }

  /** Says in a sentence which nodes a machine has. */
  whoIs(machineKey: string): string {
    const names = this.#network.nodesOfMachine(machineKey).map((node) => this.#statusOf(node).dnsName)
    return `${machineKey}: ${names.length > 0 ? names.join(', ') : 'no node'}`
  }

  /** Tells whether this node key is that of a node that takes part: approved, and its login has not ended. */
  admits(nodeKey: string): boolean {
    const node = this.#network.nodeByKey(nodeKey)
    return node !== undefined && node.approved && !isExpired(node, this.#options.wallClock())
  }

  /** Returns what is remembered of a node. Throws {@link ControlError} when there is none. */
  known(id: number): NodeRecord {
    const node = this.#network.node(id)
    if (!node) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${id}.`)
    return node
  }

  /** Gives a node another name, which it keeps whatever its machine calls itself later. */
  rename(id: number, name: string, now: number): void {
    this.#rename(id, name)
    this.#options.absorb(now)
  }

  /** Gives a node another address, and the one of the other family that goes with it. */
  readdress(id: number, address: string, now: number): void {
    this.#readdress(id, address)
    this.#options.absorb(now)
  }

  /** Throws {@link ControlError} when a machine that is let in cannot have what was chosen for it. */
  checkChoice({ name, address }: NodeChoice, machineKey: string): void {
    const own = this.#network.nodesOfMachine(machineKey)
    if (name !== undefined && !own.some((node) => node.givenName === name)) this.#refuseName(name)
    if (address === undefined) return
    const holders = [machineKey, ...(name === undefined ? [] : [name])]
    refuseTaken(this.#network, chosenAddresses(address).ipv4, (node) => own.includes(node), holders)
  }

  /** Gives a node what was chosen for it; the others do not hear of it yet. */
  choose(id: number, { name, address }: NodeChoice): void {
    if (name !== undefined) this.#rename(id, name)
    if (address !== undefined) this.#readdress(id, address)
  }

  /** Makes tags the owner of a node, in place of its user; its login does not expire any more. */
  tag(id: number, tags: readonly string[], now: number): void {
    this.known(id)
    const bad = tags.find((tag) => !isTag(tag))
    if (bad !== undefined)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', `${quoted(bad)} is no tag: write tag:name.`)
    if (tags.length === 0)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', 'A node without an owner needs at least one tag.')
    this.#network.updateNode(id, { tags: [...new Set(tags)], user: undefined, expiresAt: undefined })
    this.#options.absorb(now)
  }

  /** Lets a node take part that waited for somebody's approval. */
  approve(id: number, now: number): void {
    this.known(id)
    this.#options.policies.approveRoutes(this.#network.updateNode(id, { approved: true }))
    this.#options.absorb(now)
  }

  /** Sets when a node's key ends: now when `at` is left out, so that it must log in again; `never` undoes that. */
  expire(id: number, now: number, at: number | 'never' = this.#options.wallClock()): void {
    this.known(id)
    this.#network.updateNode(id, { expiresAt: at === 'never' ? undefined : at })
    this.#options.absorb(now)
  }

  /** Sets which prefixes a node may route for the others, in place of those before. One exit route stands for both. */
  approveRoutes(id: number, routes: readonly string[], now: number): void {
    this.known(id)
    const approved = new Set(routes.map(checkedRoute))
    if ([...approved].some(isExitRoute)) for (const route of EXIT_ROUTES) approved.add(route)
    this.#network.updateNode(id, { approvedRoutes: [...approved] })
    this.#options.absorb(now)
  }

  /** Removes a node: it is told that its key has expired, the others that it is gone. */
  delete(id: number, now: number): void {
    const node = this.known(id)
    this.#options.farewell(id, now)
    this.#network.removeNode(node.id)
    this.#options.absorb(now)
  }

  #rename(id: number, name: string): void {
    this.#refuseName(name, this.known(id))
    this.#network.updateNode(id, { givenName: name })
  }

  #readdress(id: number, address: string): void {
    const node = this.known(id)
    const { ipv4, ipv6 } = chosenAddresses(address)
    refuseTaken(this.#network, ipv4, (other) => other.id === id, holdersOf(node))
    this.#network.updateNode(id, { ipv4, ipv6 })
  }

  #refuseName(name: string, node?: NodeRecord): void {
    if (sanitizeHostname(name) !== name) throw new ControlError('ERR_CONTROL_NODE_NAME', badName(name))
    if (name === node?.givenName || !this.#network.isNameTaken(name)) return
    const isNodes = this.#network.nodeByName(name) !== undefined
    const why = isNodes ? `Another node is named ${name} already.` : `A record of the DNS is named ${name}.`
    throw new ControlError('ERR_CONTROL_NODE_NAME', why)
  }

  #statusOf(node: NodeRecord): NodeStatus {
    const { baseDomain, wallClock } = this.#options
    return {
      node,
      userName: this.#network.user(node.user)?.name ?? '',
      dnsName: `${node.givenName}.${baseDomain}`,
      online: isOnline(node),
      expired: isExpired(node, wallClock()),
      servedRoutes: routesOf(node).served,
    }
  }
}

/** Says what a name is that cannot be a node's. */
function badName(name: string): string {
  return `${quoted(name)} cannot be a node's name: use a-z, 0-9 and hyphens, at most 55.`
}

function checkedRoute(text: string): string {
  const route = normalRoute(text)
  if (route === undefined)
    throw new ControlError('ERR_CONTROL_ROUTE', `${quoted(text)} is no route: write 10.1.0.0/16.`)
  if (isInsideMesh(route)) {
    const message = `${route} lies among the nodes' own addresses, which nobody routes for others.`
    throw new ControlError('ERR_CONTROL_ROUTE', message)
  }
  return route
}
