// What an administrator changes of a node: its name, tags, expiry and the routes it may serve. The coordinator tells the
// others.

import { isTag } from './admin.ts'
import { ControlError } from './errors.ts'
import { sanitizeHostname } from './names.ts'
import type { Network } from './network.ts'
import type { NodeRecord } from './records.ts'
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
    if (sanitizeHostname(name) !== name) {
      const message = `${JSON.stringify(name)} cannot be a node's name: use a-z, 0-9 and hyphens, at most 55.`
      throw new ControlError('ERR_CONTROL_NODE_NAME', message)
    }
    if (name !== node.givenName && this.#network.isNameTaken(name))
      throw new ControlError('ERR_CONTROL_NODE_NAME', `Another node is named ${name} already.`)
    this.#network.updateNode(id, { givenName: name })
  }

  /** Makes tags the owner of a node, in place of its user; its login does not expire any more. */
  tag(id: number, tags: readonly string[]): void {
    this.known(id)
    const bad = tags.find((tag) => !isTag(tag))
    if (bad !== undefined)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', `${JSON.stringify(bad)} is no tag: write tag:name.`)
    if (tags.length === 0)
      throw new ControlError('ERR_CONTROL_NODE_TAGS', 'A node without an owner needs at least one tag.')
    this.#network.updateNode(id, { tags: [...new Set(tags)], user: undefined, expiresAt: undefined })
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
}

function checkedRoute(text: string): string {
  const route = normalRoute(text)
  if (route === undefined)
    throw new ControlError('ERR_CONTROL_ROUTE', `${JSON.stringify(text)} is no route: write 10.1.0.0/16.`)
  if (isInsideMesh(route)) {
    const message = `${route} lies among the nodes' own addresses, which nobody routes for others.`
    throw new ControlError('ERR_CONTROL_ROUTE', message)
  }
  return route
}
