// Why packets were refused at the gate, counted in memory that threads may share: their gates add, anybody reads.

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

const TWO_32 = 0x1_0000_0000

/** Counts by reason. Any number of threads add. */
export class GateDrops {
  /** Bytes of memory they take. */
  static readonly byteLength = GATE_DROPS.length * 8
  /** Of each reason two halves of 32 bits, the low one first: larger numbers cannot be added to without an object. */
  readonly #halves: Uint32Array

  /** Counts in `memory`, or in some of its own. */
  constructor(memory: ArrayBufferLike = new ArrayBuffer(GateDrops.byteLength)) {
    this.#halves = new Uint32Array(memory, 0, GATE_DROPS.length * 2)
  }

  /** Counts one packet. */
  add(reason: GateDrop): void {
    const low = GATE_DROPS.indexOf(reason) * 2
    if (Atomics.add(this.#halves, low, 1) === 0xffff_ffff) Atomics.add(this.#halves, low + 1, 1)
  }

  /** Returns the counts so far. */
  snapshot(): Record<GateDrop, number> {
    const half = (at: number): number => Atomics.load(this.#halves, at)
    const counts = GATE_DROPS.map((reason, i) => [reason, half(2 * i + 1) * TWO_32 + half(2 * i)] as const)
    return Object.fromEntries(counts) as Record<GateDrop, number>
  }
}
