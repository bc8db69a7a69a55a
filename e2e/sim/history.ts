// What may befall a town: as data, made up from dice.
import type { Dice } from './dice.ts'
import type { Topology } from './topology.ts'

/** One thing that happens. Durations are milliseconds. */
export type Happening =
  /** A node is plugged in elsewhere, and notices. */
  | { readonly kind: 'roam'; readonly node: number; readonly behind: number | undefined }
  /** A box forgets all it knew. */
  | { readonly kind: 'reboot'; readonly box: number }
  /** Nobody sends: sessions go idle, mappings expire. */
  | { readonly kind: 'quiet'; readonly duration: number }
  /** A relay goes away, and comes back without knowing anybody. */
  | { readonly kind: 'relay-restart'; readonly region: number; readonly duration: number }
  /** A node's wire loses, doubles and reorders. */
  | { readonly kind: 'bad-wire'; readonly node: number; readonly part: number; readonly duration: number }
  /** Two ways out do not reach each other across the Internet. */
  | { readonly kind: 'partition'; readonly nodes: readonly [number, number]; readonly duration: number }
  /** A node's wire is cut. */
  | { readonly kind: 'cut'; readonly node: number; readonly duration: number }
  /** A node is put to sleep. */
  | { readonly kind: 'sleep'; readonly node: number; readonly duration: number }
  /** A box lets no UDP through. */
  | { readonly kind: 'block-udp'; readonly box: number; readonly duration: number }
  /** A box shows a captive portal. */
  | { readonly kind: 'captive'; readonly box: number; readonly duration: number }
  /** A node's wire takes another time. */
  | { readonly kind: 'latency'; readonly node: number; readonly latency: number }

/** Something that happens, and for how long people go on talking after it. */
export interface Step {
  readonly happening: Happening
  readonly talk: number
}

/** Makes up a history. */
export function randomHistory(dice: Dice, topology: Topology): Step[] {
  return Array.from({ length: dice.between(1, 8) }, () => ({
    happening: randomHappening(dice, topology),
    talk: dice.happens(0.3) ? dice.between(30_000, 90_000) : dice.between(0, 15_000),
  }))
}

function randomHappening(dice: Dice, { boxes, machines, relays }: Topology): Happening {
  const node = dice.between(1, machines.length)
  const duration = dice.happens(0.8) ? dice.between(100, 20_000) : dice.between(20_000, 120_000)
  const happenings: (() => Happening)[] = [
    () => ({ kind: 'roam', node, behind: randomPlace(dice, boxes.length) }),
    () => ({ kind: 'quiet', duration: dice.between(20_000, 320_000) }),
    () => ({ kind: 'relay-restart', region: dice.between(1, relays.length), duration }),
    () => ({ kind: 'bad-wire', node, part: dice.oneOf([0.01, 0.1, 0.3]), duration }),
    () => ({ kind: 'partition', nodes: [node, (node % machines.length) + 1], duration }),
    () => ({ kind: 'cut', node, duration }),
    () => ({ kind: 'sleep', node, duration }),
    () => ({ kind: 'latency', node, latency: dice.between(1, 100) }),
  ]
  if (boxes.length > 0) {
    const box = dice.between(0, boxes.length - 1)
    happenings.push(
      () => ({ kind: 'reboot', box }),
      () => ({ kind: 'block-udp', box, duration }),
      () => ({ kind: 'captive', box, duration }),
    )
  }
  return dice.oneOf(happenings)()
}

function randomPlace(dice: Dice, boxes: number): number | undefined {
  return boxes > 0 && dice.happens(0.8) ? dice.between(0, boxes - 1) : undefined
}

/** Returns a happening in a few words. */
export function describeHappening({ kind, ...details }: Happening): string {
  const words = Object.entries(details).map(
    ([name, value]) => `${name} ${value === undefined ? 'Internet' : String(value)}`,
  )
  return `${kind}: ${words.join(', ')}`
}
