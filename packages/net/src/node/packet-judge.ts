// The gate on the packet thread, which imports this file by its name.
import { GateDrops } from '../gate-drops.ts'
import { PacketGate } from '../packet-gate.ts'

/** Makes the gate; it counts in the memory given, which is shared with the control thread. */
export function createJudge(memory: SharedArrayBuffer): PacketGate {
  return new PacketGate(new GateDrops(memory))
}
