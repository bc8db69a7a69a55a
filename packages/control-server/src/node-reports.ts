// What a machine says of its node beside registering and following its map (control §3.10): it is noted in the node's own
// name.

import { nodeSubject } from './audit.ts'
import type { Challenges, TxtRecord } from './certificates.ts'
import { updateAttributes } from './device-attributes.ts'
import type { Network } from './network.ts'
import type { Nodes } from './nodes.ts'
import type { NodeRecord } from './records.ts'

/** Takes what machines say of their nodes. */
export class NodeReports {
  readonly #network: Network
  readonly #nodes: Nodes
  readonly #challenges: Challenges
  readonly #absorb: (now: number) => void

  /** @param absorb - Has the connected nodes hear what changed. */
  constructor(network: Network, nodes: Nodes, challenges: Challenges, absorb: (now: number) => void) {
    this.#network = network
    this.#nodes = nodes
    this.#challenges = challenges
    this.#absorb = absorb
  }

  /** Adds to the audit log what a client wants noted about its node. Throws {@link ControlError}. */
  note(nodeId: number, report: Readonly<Record<string, string>>): void {
    const node = this.#actAs(nodeId)
    this.#network.state.note({ action: 'report', subject: nodeSubject(node), after: report })
  }

  /** Publishes a text of a node in the DNS. Throws {@link ControlError}. */
  publishChallenge(nodeId: number, name: string, value: string): TxtRecord {
    return this.#challenges.publish(this.#actAs(nodeId), name, value)
  }

  /** Takes what a machine says of its device; a policy may judge it by that. Throws {@link ControlError}. */
  updateAttributes(nodeId: number, update: unknown, now: number): void {
    const node = this.#actAs(nodeId)
    this.#network.updateNode(nodeId, { attributes: updateAttributes(node.attributes ?? {}, update) })
    this.#absorb(now)
  }

  #actAs(nodeId: number): NodeRecord {
    const node = this.#nodes.known(nodeId)
    this.#network.state.actAs({ kind: 'node', name: node.givenName })
    return node
  }
}
