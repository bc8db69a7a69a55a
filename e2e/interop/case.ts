// What a case of interoperation is: some peers, a lab, and stages that are reached one after the other.
import type { Lab } from '../netns/lab.ts'

/** Runs one stage and notes that it was reached. */
export type Trail = <T>(stage: string, work: () => Promise<T>) => Promise<T>

/** One line of the table. */
export interface InteropCase {
  readonly name: string
  /** Programs of other projects that must lie in `MESH_PEERS`. */
  readonly peers: readonly string[]
  /** Programs of the distribution that must be installed. */
  readonly programs?: readonly string[]
  /** Goes through the stages; throws with the reason where it stops. `peer` gives a program's path. */
  readonly run: (lab: Lab, trail: Trail, peer: (program: string) => string) => Promise<void>
}
