// The packet filter of a node on the packet thread, as the daemon has it there: the gate of @mesh/net with the rules of
// @mesh/policy, which it is told.
import { createJudge as createGate } from '@mesh/net/node/packet-judge'
import type { PacketJudge } from '@mesh/wireguard/node'

/** Room for the gate's counters. */
const COUNTERS = 4_096

/** Makes it. The packet thread imports this. */
export function createJudge(): PacketJudge {
  return createGate(new SharedArrayBuffer(COUNTERS))
}
