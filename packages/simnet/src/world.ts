// What every part of one simulated network shares: the clock, the dice, and the book of what happened.
import type { ManualClock, RandomSource } from '@mesh/sansio'
import type { SimDatagram, SimDropReason, SimEvent } from './datagram.ts'

/** Clock, dice and book of one network. */
export interface World {
  /** The time of the network. */
  readonly clock: ManualClock
  /** The dice. */
  readonly random: RandomSource
  /** Called with everything that happens. */
  record(event: SimEvent): void
}

/** Writes a drop into the book. */
export function drop(world: World, datagram: SimDatagram, reason: SimDropReason): void {
  world.record({ kind: 'dropped', at: world.clock.now(), datagram, reason })
}

/** Returns a number from 0 up to, but not, 1. */
export function fraction(random: RandomSource): number {
  const [a = 0, b = 0, c = 0] = random(3)
  return (a * 65_536 + b * 256 + c) / 2 ** 24
}
