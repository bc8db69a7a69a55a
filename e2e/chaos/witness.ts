// Writes down what servers acknowledged and what nodes see, and finds what does not fit: an address given twice or
// changed, a peer lost, an acknowledged change forgotten.

/** A node as the witness knows it. */
export interface Known {
  readonly name: string
  readonly nodeKey: string
  /** Its IPv4 address, from the first map on. */
  address: string | undefined
  /** The endpoints the server took last. */
  endpoints: readonly string[]
  /** Endpoints whose acknowledgement never came: they may count or not. */
  readonly maybe: Set<string>
  /** When its registration was acknowledged; monotonic milliseconds. */
  readonly since: number
  /** Whether it is deleted, or may be. */
  gone: boolean
  /** Whether its deletion was acknowledged. */
  deleted: boolean
}

/** A peer as a map shows it. */
export interface SeenPeer {
  readonly Key: string
  readonly Addresses?: readonly string[]
  readonly Endpoints?: readonly string[]
}

/** How long an acknowledged registration may take to reach every server and every node, milliseconds. */
const SPREAD = 10_000

/** What is counted: acknowledged registrations, updates and deletions; changes that failed; what nodes heard. */
export type Counted =
  | 'registrations'
  | 'updates'
  | 'refused'
  | 'deletions'
  | 'reconnects'
  | 'snapshots'
  | 'deltas'
  | 'checks'

/** What was seen. */
export class Witness {
  readonly faults: string[] = []
  readonly nodes = new Map<string, Known>()
  readonly #addresses = new Map<string, string>()
  readonly #counts = {
    registrations: 0,
    updates: 0,
    refused: 0,
    deletions: 0,
    reconnects: 0,
    snapshots: 0,
    deltas: 0,
    checks: 0,
  }

  /** Counts something. */
  count(what: Counted, by = 1): void {
    this.#counts[what] += by
  }

  /** Notes a fault. */
  fault(text: string): void {
    this.faults.push(text)
  }

  /** A server let a node in. */
  registered(name: string, nodeKey: string): Known {
    this.count('registrations')
    const known: Known = {
      name,
      nodeKey,
      address: undefined,
      endpoints: [],
      maybe: new Set(),
      since: performance.now(),
      gone: false,
      deleted: false,
    }
    this.nodes.set(nodeKey, known)
    return known
  }

  /** A node was shown with an address. */
  addressed(nodeKey: string, address: string | undefined): void {
    if (address === undefined) return this.fault(`${nodeKey} has no address`)
    const known = this.nodes.get(nodeKey)
    if (known?.address !== undefined && known.address !== address)
      this.fault(`${known.name} had ${known.address} and now has ${address}`)
    const holder = this.#addresses.get(address)
    if (holder !== undefined && holder !== nodeKey)
      this.fault(`${address} was given twice: ${holder}, ${nodeKey}`)
    this.#addresses.set(address, nodeKey)
    if (known) known.address = address
  }

  /** A node's stream began with these peers. */
  snapshot(viewer: string, peers: ReadonlyMap<number, SeenPeer>): void {
    this.count('snapshots')
    this.#compare(viewer, peers, performance.now() - SPREAD, false)
  }

  /** A node lost a peer in the middle of a stream. */
  lost(viewer: string, peer: SeenPeer): void {
    const known = this.nodes.get(peer.Key)
    if (known && !known.gone) this.fault(`${viewer} lost ${known.name}`)
  }

  /** Everything is at rest: a node must see all others, as they said last that they are. */
  atRest(viewer: string, peers: ReadonlyMap<number, SeenPeer>): readonly string[] {
    return this.#compare(viewer, peers, Infinity, true)
  }

  /** Returns what was done, in a line. */
  summary(): string {
    const counts = Object.entries(this.#counts).map(([what, count]) => `${count} ${what}`)
    return `${counts.join(', ')}; ${this.#addresses.size} addresses; ${this.faults.length} faults`
  }

  /** Compares what a node sees with what was acknowledged before a moment. */
  #compare(
    viewer: string,
    peers: ReadonlyMap<number, SeenPeer>,
    before: number,
    strictly: boolean,
  ): readonly string[] {
    const wrong: string[] = []
    const seen = new Map([...peers.values()].map((peer) => [peer.Key, peer]))
    for (const known of this.nodes.values()) {
      if (known.nodeKey === viewer || known.gone || known.since > before) continue
      const peer = seen.get(known.nodeKey)
      if (!peer) wrong.push(`${this.nodes.get(viewer)?.name} does not see ${known.name}`)
      else if (strictly && !fits(known, peer))
        wrong.push(`${known.name} is at ${known.endpoints.join()}, but is seen at ${peer.Endpoints?.join()}`)
    }
    for (const { Key } of seen.values())
      if (strictly && this.nodes.get(Key)?.deleted)
        wrong.push(`${this.nodes.get(viewer)?.name} still sees ${this.nodes.get(Key)?.name}`)
    for (const peer of seen.values()) this.addressed(peer.Key, peer.Addresses?.[0])
    if (!strictly) for (const each of wrong) this.fault(each)
    return wrong
  }
}

function fits({ endpoints, maybe }: Known, peer: SeenPeer): boolean {
  const seen = (peer.Endpoints ?? []).join()
  return seen === endpoints.join() || maybe.has(seen)
}
