// Where a peer's datagrams go, and by which of our own addresses: a host with several answers from the one it was asked at,
// or a firewall on the way, and a peer that looks at the source, would not know the answer for one.
import { type Endpoint, endpointsEqual, type IpAddress } from '@mesh/wire/ip'

/** An endpoint, and what belongs to the way there. */
export interface UnderlayEndpoint extends Endpoint {
  /** For a link-local address the number of the interface that it belongs to (sin6_scope_id); none when left out. */
  readonly scope?: number
  /** The address of ours that the peer spoke to, and that it is answered from; the routes choose when left out. */
  readonly local?: IpAddress
}

/** Tells whether two are the same way to the same place. */
export function sameWay(a: UnderlayEndpoint | undefined, b: UnderlayEndpoint | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return endpointsEqual(a, b) && a.scope === b.scope && sameBytes(a.local, b.local)
}

/** Returns the same place, reached from whichever address the routes choose. */
export function fromAnyAddress({ address, port, scope }: UnderlayEndpoint): UnderlayEndpoint {
  return scope === undefined ? { address, port } : { address, port, scope }
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a?.length === b?.length && (a === undefined || a.every((byte, index) => byte === b?.[index]))
}
