// Certificates for nodes' names: a node asks an ACME authority for one itself, and shows that the name is its own by a text
// in the DNS (RFC 8555 section 8.4), which it has this server publish (control §3.10). The texts are part of the node's
// record, so every server of a network answers with them.

import { ControlError } from './errors.ts'
import type { Network } from './network.ts'
import type { NodeRecord } from './records.ts'

/** How long a text is published, milliseconds: authorities look within seconds. */
export const CHALLENGE_LIFETIME = 10 * 60_000
/** The most texts of one node at a time: an order for one name needs one, or two where two orders meet. */
const MAX_CHALLENGES = 4
/** Where authorities look. */
const LABEL = '_acme-challenge.'

/** A text that shows that a name is a node's own. */
export interface Challenge {
  /** What the authority gave: a SHA-256 as base64url (RFC 8555 section 8.4). */
  readonly value: string
  /** Until when it is published, Unix milliseconds. */
  readonly expiresAt: number
}

/** A text at a name, as it is published. */
export interface TxtRecord {
  /** The name, without a dot at its end. */
  readonly name: string
  /** The text. */
  readonly value: string
}

/** Whoever brings texts into the DNS, where this server does not answer for its domain itself. */
export interface DnsProvider {
  /** Publishes a text beside those that are there. Resolves when authorities can see it. */
  publish(record: TxtRecord): Promise<void>
  /** Takes a text away again. */
  withdraw(record: TxtRecord): Promise<void>
}

/** What the challenges of a network work with. */
export interface ChallengesOptions {
  /** The network whose nodes they are. */
  readonly network: Network
  /** The suffix of every node's name. */
  readonly baseDomain: string
  /** Returns the wall clock's Unix milliseconds. */
  readonly wallClock: () => number
}

/** Keeps the texts of nodes. */
export class Challenges {
  readonly #options: ChallengesOptions

  constructor(options: ChallengesOptions) {
    this.#options = options
  }

  /** Returns the name a node may have a certificate for. */
  domainOf({ givenName }: NodeRecord): string {
    return `${givenName}.${this.#options.baseDomain}`
  }

  /**
   * Publishes a text of a node. Returns it as it is published. Throws {@link ControlError} `ERR_CONTROL_CHALLENGE` when
   * the name is not where the node's own challenges are, or the text is none.
   */
  publish(node: NodeRecord, name: string, value: string): TxtRecord {
    const own = LABEL + this.domainOf(node)
    if (name.toLowerCase().replace(/\.$/, '') !== own)
      throw new ControlError('ERR_CONTROL_CHALLENGE', `This node may only publish ${own}.`)
    // Longer ones would make this server's DNS a lever for floods.
    if (!/^[A-Za-z0-9_-]{43}$/.test(value))
      throw new ControlError('ERR_CONTROL_CHALLENGE', 'This is no text of an ACME challenge.')
    const wall = this.#options.wallClock()
    const others = (node.challenges ?? []).filter((each) => each.expiresAt > wall && each.value !== value)
    const challenges = [...others.slice(1 - MAX_CHALLENGES), { value, expiresAt: wall + CHALLENGE_LIFETIME }]
    this.#options.network.updateNode(node.id, { challenges })
    return { name: own, value }
  }

  /** Returns the texts that are published at a name, which is in lower case and without a dot at its end. */
  textsAt(name: string): readonly string[] {
    const { network, baseDomain, wallClock } = this.#options
    if (!name.startsWith(LABEL) || !name.endsWith(`.${baseDomain}`)) return []
    const node = network.nodeByName(name.slice(LABEL.length, -baseDomain.length - 1))
    return (node?.challenges ?? []).filter((each) => each.expiresAt > wallClock()).map(({ value }) => value)
  }
}
