// Why packets were refused at the gate, counted in memory that two threads may share: the gate adds, anybody reads.

/** Why the gate dropped a packet. */
export const GATE_DROPS = [
  /** No IP packet, or one that a filter cannot understand. */
  'malformed',
  /** A program of this host speaks TSMP, which is the daemon's alone. */
  'tsmp-from-host',
  /** For a multicast group. */
  'multicast',
  /** For a link-local address. */
  'link-local',
  /** From a peer, for an address that is not this node's. */
  'not-local',
  /** From a peer, and no rule allows it. */
  'no-rule',
] as const

/** Why the gate dropped a packet. */
export type GateDrop = (typeof GATE_DROPS)[number]

/** Counts by reason. One thread adds. */
export class GateDrops {
  /** Bytes of memory they take. */
  static readonly byteLength = GATE_DROPS.length * 8
  readonly #counts: Float64Array

  /** Counts in `memory`, or in some of its own. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(GateDrops.byteLength)) {
    this.#counts = new Float64Array(memory, 0, GATE_DROPS.length)
  }

  /** Counts one packet. */
  add(reason: GateDrop): void {
    const index = GATE_DROPS.indexOf(reason)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  /** Returns the counts so far. */
  snapshot(): Record<GateDrop, number> {
    const counts = GATE_DROPS.map((reason, index) => [reason, this.#counts[index] ?? 0] as const)
    return Object.fromEntries(counts) as Record<GateDrop, number>
  }
}
