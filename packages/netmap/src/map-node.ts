// A node of the map, read once: keys as bytes, prefixes and endpoints parsed, so that no room below parses text.
// A new reading of the same text keeps the old values, so "did it change?" is a comparison of references.
import { isZeroKey, parseDiscoKey, parseNodeKey } from '@mesh/keys'
import { type Node, parseTime } from '@mesh/wire/control'
import { type Endpoint, type Prefix, parseEndpoint, parsePrefix } from '@mesh/wire/ip'

/** A node: this one, or a peer. Immutable. */
export interface MapNode {
  /** The node's number, above 0 and lasting. */
  readonly id: number
  /** The node's lasting name for other documents. */
  readonly stableId: string
  /** The full DNS name as control sent it, usually with a trailing dot. */
  readonly name: string
  /** The owner's number; a key of `userProfiles`. */
  readonly user: number
  /** The WireGuard public key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** The disco public key, 32 bytes; `undefined` when the node never told one. */
  readonly discoKey: Uint8Array | undefined
  /** When the key ends, milliseconds since 1970 by control's clock; `undefined` for never. */
  readonly keyExpiry: number | undefined
  /** Whether the key has ended: nothing may be sent to or taken from the node. */
  readonly expired: boolean
  /** The node's own addresses. */
  readonly addresses: readonly Prefix[]
  /** What may be routed to it and may come from it. */
  readonly allowedIps: readonly Prefix[]
  /** Where it may be reached over UDP. */
  readonly endpoints: readonly Endpoint[]
  /** Its home relay's region, 0 for none. */
  readonly homeRelay: number
  /** Whether it is connected to control; `undefined` for unknown. */
  readonly online: boolean | undefined
  /** When it was last seen, milliseconds since 1970. */
  readonly lastSeen: number | undefined
  /** The node as control sent it, with the changes since. */
  readonly source: Node
}

/** Returns the node read from its wire form; values whose text did not change are taken from `previous`. */
export function readNode(source: Node, controlNow: number, previous?: MapNode): MapNode {
  const before = previous?.source
  const keyExpiry = parseTime(source.KeyExpiry)
  const addresses = same(source.Addresses, before?.Addresses)
    ? previous!.addresses
    : source.Addresses.flatMap(readPrefix)
  return {
    id: source.ID,
    stableId: source.StableID,
    name: source.Name,
    user: source.User,
    nodeKey:
      source.Key === before?.Key ? previous!.nodeKey : (parseNodeKey(source.Key) ?? new Uint8Array(32)),
    discoKey: source.DiscoKey === before?.DiscoKey ? previous?.discoKey : readDiscoKey(source.DiscoKey),
    keyExpiry,
    expired: isExpired(source, keyExpiry, controlNow),
    addresses,
    allowedIps: readAllowedIps(source, addresses, previous),
    endpoints:
      previous !== undefined && same(source.Endpoints ?? [], before?.Endpoints ?? [])
        ? previous.endpoints
        : (source.Endpoints ?? []).flatMap(readEndpoint),
    homeRelay: source.HomeDERP || legacyHomeRelay(source.DERP),
    online: source.Online,
    lastSeen: parseTime(source.LastSeen),
    source,
  }
}

/** Returns the node with this number in a list sorted by number, or `undefined`. */
export function findNode(nodes: readonly MapNode[], id: number): MapNode | undefined {
  let low = 0
  let high = nodes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (nodes[middle]!.id < id) low = middle + 1
    else high = middle
  }
  const found = nodes[low]
  return found?.id === id ? found : undefined
}

/** Control's clock at or before this cannot be right: nothing is expired by it (control §3.5, `ControlTime`). */
const OLDEST_PLAUSIBLE_TIME = Date.UTC(2023, 0, 10)

/** Returns whether a key that ends at `keyExpiry` has ended. */
export function isPast(keyExpiry: number | undefined, controlNow: number): boolean {
  return keyExpiry !== undefined && controlNow > OLDEST_PLAUSIBLE_TIME && keyExpiry <= controlNow
}

/** Returns whether a node's key has ended, because control says so or by its clock. */
export function isExpired(source: Node, keyExpiry: number | undefined, controlNow: number): boolean {
  return source.Expired === true || isPast(keyExpiry, controlNow)
}

/** Returns whether two lists hold the same texts in the same order. */
export function same(a: readonly string[], b: readonly string[] | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((text, i) => text === b[i])
}

function readAllowedIps(source: Node, addresses: readonly Prefix[], previous?: MapNode): readonly Prefix[] {
  if (source.AllowedIPs === undefined || source.UnsignedPeerAPIOnly === true) return addresses
  const before = previous?.source
  if (before?.UnsignedPeerAPIOnly !== true && same(source.AllowedIPs, before?.AllowedIPs)) {
    return previous!.allowedIps
  }
  return source.AllowedIPs.flatMap(readPrefix)
}

function readDiscoKey(text: string | undefined): Uint8Array | undefined {
  const key = text === undefined ? undefined : parseDiscoKey(text)
  return key === undefined || isZeroKey(key) ? undefined : key
}

/** Reads `127.3.3.40:<region>`, which servers sent before they had a field for the home region. */
function legacyHomeRelay(text: string | undefined): number {
  const match = text === undefined ? null : /^127\.3\.3\.40:(\d{1,5})$/.exec(text)
  return match === null ? 0 : Number(match[1])
}

function readPrefix(text: string): Prefix[] {
  const prefix = parsePrefix(text)
  return prefix === undefined ? [] : [prefix]
}

function readEndpoint(text: string): Endpoint[] {
  const endpoint = parseEndpoint(text)
  return endpoint === undefined ? [] : [endpoint]
}
