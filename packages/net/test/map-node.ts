// A node as control describes it.
import { formatNodeKey } from '@mesh/keys'
import type { Node } from '@mesh/wire/control'

/** Node `id` of the network `mesh.test`, at 100.64.0.`id`. */
export function node(id: number, more: Partial<Node> = {}): Node {
  return {
    ID: id,
    StableID: `n${id}`,
    Name: `host${id}.mesh.test.`,
    User: 1,
    Key: formatNodeKey(new Uint8Array(32).fill(id)),
    Addresses: [`100.64.0.${id}/32`],
    AllowedIPs: [`100.64.0.${id}/32`],
    MachineAuthorized: true,
    ...more,
  }
}
