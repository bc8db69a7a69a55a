// What an administrator changes of a node: its name, tags, expiry and the routes it may serve. The coordinator tells the
// others.

import { isTag } from './admin.ts'
import type { NodeChoice } from './admin.ts'
import { ControlError, quoted } from './errors.ts'
import { sanitizeHostname } from './names.ts'
import type { Network } from './network.ts'
import type { NodeRecord } from './records.ts'
import { chosenAddresses, holdersOf, refuseTaken } from './reservations.ts'
import { EXIT_ROUTES, isExitRoute, isInsideMesh, normalRoute } from './routes.ts'

/** Changes nodes. */
export class NodeChanges {
  readonly #network: Network

  constructor(network: Network) {
    this.#network = network
  }

  /** Returns a node. Throws {@link ControlError} when there is none. */
  known(id: number): NodeRecord {
    const node = this.#network.node(id)
    if (!node) throw new ControlError('ERR_CONTROL_NODE_UNKNOWN', `There is no node ${id}.`)
    return node
  }

  /** Gives a node another name, which it keeps whatever its machine calls itself later. */
  rename(id: number, name: string): void {
    const node = this.known(id)
    this.#refuseName(name, node)
    this.#network.updateNode(id, { givenName: name })
  }

  /** Gives a node another address, and the one of the other family that goes with it. */
  readdress(id: number, address: string): void {
    const node = this.known(id)
    const { ipv4, ipv6 } = chosenAddresses(address)
    refuseTaken(this.#network, ipv4, (other) => other.id === id, holdersOf(node))
    this.#network.updateNode(id, { ipv4, ipv6 })
  }

  /** Throws {@link ControlError} when a machine that is let in cannot have what was chosen for it. */
  checkChoice({ name, address }: NodeChoice, machineKey: string): void {
    const own = this.#network.nodesOfMachine(machineKey)
    if (name !== undefined && !own.some((node) => node.givenName === name)) this.#refuseName(name)
    if (address === undefined) return
    const holders = [machineKey, ...(name === undefined ? [] : [name])]
    refuseTaken(this.#network, chosenAddresses(address).ipv4, (node) => own.includes(node), holders)
  }

  /** Gives a node what was chosen for it. */
  choose(id: number, { name, address }: NodeChoice): void {
    if (name !== undefined) this.rename(id, name)
    if (address !== undefined) this.readdress(id, address)
  }

  /** Makes tags the owner of a node, in place of its user; its login does not expire any more. */
  tag(id: number, tags: readonly string[]): void {
    this.known(id)
    const bad = tags.find((tag) => !isTag(tag))
    if (bad !== undefined)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', `${quoted(bad)} is no tag: write tag:name.`)
    if (tags.length === 0)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', 'A node without an owner needs at least one tag.')
    this.#network.updateNode(id, { tags: [...new Set(tags)], user: undefined, expiresAt: undefined })
  }

  /** Lets a node take part that waited for it. */
  approve(id: number): void {
    this.known(id)
    this.#network.updateNode(id, { approved: true })
  }

  /** Sets when a node's login expires; `undefined` for never. */
  expire(id: number, at: number | undefined): void {
    this.known(id)
    this.#network.updateNode(id, { expiresAt: at })
  }

  /** Sets which prefixes a node may serve, in place of those before. One exit route stands for both. */
  approveRoutes(id: number, routes: readonly string[]): void {
    this.known(id)
    const approved = new Set(routes.map(checkedRoute))
    if ([...approved].some(isExitRoute)) for (const route of EXIT_ROUTES) approved.add(route)
    this.#network.updateNode(id, { approvedRoutes: [...approved] })
  }

  #refuseName(name: string, node?: NodeRecord): void {
    if (sanitizeHostname(name) !== name) throw new ControlError('ERR_CONTROL_NODE_NAME', badName(name))
    if (name !== node?.givenName && this.#network.isNameTaken(name))
      throw new ControlError('ERR_CONTROL_NODE_NAME', `Another node is named ${name} already.`)
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
