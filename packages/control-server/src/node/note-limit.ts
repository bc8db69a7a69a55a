// How often one node may have a line written into the log: a log is read by people, and disks are finite.

const WINDOW = 60_000
const MAX_NOTES = 10

/** Counts notes by node. */
export class NoteLimit {
  readonly #counts = new Map<number, number>()
  #since = -Infinity

  /** Counts a note; returns false for those beyond what a node may write a minute. */
  allow(node: number, now: number): boolean {
    if (now - this.#since >= WINDOW) {
      this.#since = now
      this.#counts.clear()
    }
    const count = (this.#counts.get(node) ?? 0) + 1
    this.#counts.set(node, count)
    return count <= MAX_NOTES
  }
}
