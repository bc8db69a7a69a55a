// Why packets were thrown away, counted. A stranger chooses when a bad packet comes, so dropping one must cost
// no more than an increment.

/** Every reason for which magicsock drops what it was given. */
export const DROP_REASONS = [
  'empty',
  'stun-unexpected',
  'disco-malformed',
  'disco-unknown-sender',
  'disco-own-key',
  'disco-sealed-badly',
  'disco-unattributed',
  'disco-repeated-ping',
  'disco-short-ping',
  'disco-unknown-pong',
  'disco-not-by-relay',
  'disco-too-often',
  'disco-unsupported',
  'geneve-unexpected',
  'relay-unknown-sender',
  'send-unknown-peer',
  'send-expired-peer',
  'send-no-path',
] as const

/** Why a packet was dropped. */
export type DropReason = (typeof DROP_REASONS)[number]

/** How many packets were dropped, by reason. */
export type DropCounters = Record<DropReason, number>

/** Returns counters that all stand at zero. */
export function noDrops(): DropCounters {
  return Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as DropCounters
}
