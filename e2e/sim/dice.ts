// Chance for whoever makes up topologies and histories: everything follows from one seed.
import { type RandomSource, seededRandom } from '@mesh/sansio'

/** A die of any number of sides. */
export class Dice {
  readonly random: RandomSource

  constructor(seed: number) {
    this.random = seededRandom(Math.imul(seed, 0x9e37_79b1) ^ 0x5bd1_e995)
  }

  /** Returns a number from 0 up to, but not, 1. */
  fraction(): number {
    const [a = 0, b = 0, c = 0] = this.random(3)
    return (a * 65_536 + b * 256 + c) / 2 ** 24
  }

  /** Returns a whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + Math.floor(this.fraction() * (most - least + 1))
  }

  /** Returns true in this part of cases. */
  happens(part: number): boolean {
    return this.fraction() < part
  }

  /** Returns one of a list. */
  oneOf<T>(list: readonly T[]): T {
    return list[this.between(0, list.length - 1)]!
  }
}
