// A node as control tells others about it, and the small patch that changes one.

import { decodeResolver, type Resolver } from './dns-config.ts'
import { decodeHostinfo, type Hostinfo } from './hostinfo.ts'
import {
  type DiscoKeyText,
  decodeDiscoKeyText,
  decodeMachineKeyText,
  decodeNodeKeyText,
  type MachineKeyText,
  type NodeKeyText,
} from './key-text.ts'
import {
  anything,
  bool,
  dictionary,
  filled,
  id,
  int,
  type JsonDecoder,
  list,
  nullable,
  object,
  optional,
  required,
  text,
} from './schema.ts'

/** Capabilities by name; `null` and `[]` both mean "present, without values". */
export type CapMap = Readonly<Record<string, readonly unknown[] | null>>

/** A node (control protocol §4.2). Addresses, prefixes, endpoints and times are text, as sent. */
export interface Node {
  /** The node's number, above 0 and lasting. */
  readonly ID: number
  /** The node's lasting name for other documents. */
  readonly StableID: string
  /** The full DNS name with its trailing dot. */
  readonly Name: string
  /** The owner's number. */
  readonly User: number
  /** Who shared the node in. */
  readonly Sharer?: number
  /** The WireGuard public key. */
  readonly Key: NodeKeyText
  /** When the key ends; absent means never. */
  readonly KeyExpiry?: string
  /** The tailnet lock's signature of the key, base64. */
  readonly KeySignature?: string
  /** The machine key. */
  readonly Machine?: MachineKeyText
  /** The disco public key; without one the node cannot be reached. */
  readonly DiscoKey?: DiscoKeyText
  /** The node's own addresses, as /32 and /128. */
  readonly Addresses: readonly string[]
  /** What may be routed to it; absent means the same as `Addresses`. */
  readonly AllowedIPs?: readonly string[]
  /** Where it may be reached over UDP. */
  readonly Endpoints?: readonly string[]
  /** The home relay, as older servers write it: `127.3.3.40:<region>`. */
  readonly DERP?: string
  /** The home relay's region. */
  readonly HomeDERP?: number
  /** The machine under it. */
  readonly Hostinfo?: Hostinfo
  /** When it was made. */
  readonly Created?: string
  /** The capability version it claims. */
  readonly Cap?: number
  /** Its tags; empty means that a user owns it. */
  readonly Tags?: readonly string[]
  /** The subnets it is the primary router of. */
  readonly PrimaryRoutes?: readonly string[]
  /** When it was last seen, once offline. */
  readonly LastSeen?: string
  /** Whether it is connected to control; absent means unknown. */
  readonly Online?: boolean
  /** Whether an admin let it in. */
  readonly MachineAuthorized?: boolean
  /** The old form of `CapMap`. */
  readonly Capabilities?: readonly string[]
  /** Its capabilities. */
  readonly CapMap?: CapMap
  /** Whether only its peer API may be used, unsigned. */
  readonly UnsignedPeerAPIOnly?: boolean
  /** Its id in flow logs. */
  readonly DataPlaneAuditLogID?: string
  /** Whether its key has ended. */
  readonly Expired?: boolean
  /** The IPv4 address to come from when talking to it. */
  readonly SelfNodeV4MasqAddrForThisPeer?: string
  /** The IPv6 address to come from when talking to it. */
  readonly SelfNodeV6MasqAddrForThisPeer?: string
  /** Whether it is a plain WireGuard endpoint. */
  readonly IsWireGuardOnly?: boolean
  /** Whether it may only answer. */
  readonly IsJailed?: boolean
  /** The resolvers to use when it is the exit node. */
  readonly ExitNodeDNSResolvers?: readonly Resolver[]
}

/** A change to one peer (control protocol §3.6.2); absent fields stay as they are. */
export interface PeerChange {
  /** The peer's number; 0 and unknown ones are ignored. */
  readonly NodeID: number
  /** The new home region; 0 changes nothing. */
  readonly DERPRegion?: number
  /** The new capability version; 0 changes nothing. */
  readonly Cap?: number
  /** The new capabilities, whole. */
  readonly CapMap?: CapMap
  /** The new endpoints, whole; an explicit empty list clears. */
  readonly Endpoints?: readonly string[]
  /** The new node key. */
  readonly Key?: NodeKeyText
  /** The new key's signature, base64. */
  readonly KeySignature?: string
  /** The new disco key. */
  readonly DiscoKey?: DiscoKeyText
  /** Whether it is connected to control. */
  readonly Online?: boolean
  /** When it was last seen. */
  readonly LastSeen?: string
  /** When its key ends; the zero time means never. */
  readonly KeyExpiry?: string
}

const decodeCapMap: JsonDecoder<CapMap> = dictionary(nullable(list(anything)))

/** Reads a node; refused without an `ID` above 0 and a `Key`. */
export const decodeNode: JsonDecoder<Node> = object<Node>({
  ID: required(id),
  StableID: filled(text, ''),
  Name: filled(text, ''),
  User: filled(int, 0),
  Sharer: optional(int),
  Key: required(decodeNodeKeyText),
  KeyExpiry: optional(text),
  KeySignature: optional(text),
  Machine: optional(decodeMachineKeyText),
  DiscoKey: optional(decodeDiscoKeyText),
  Addresses: filled(list(text), []),
  AllowedIPs: optional(list(text)),
  Endpoints: optional(list(text)),
  DERP: optional(text),
  HomeDERP: optional(int),
  Hostinfo: optional(decodeHostinfo),
  Created: optional(text),
  Cap: optional(int),
  Tags: optional(list(text)),
  PrimaryRoutes: optional(list(text)),
  LastSeen: optional(text),
  Online: optional(bool),
  MachineAuthorized: optional(bool),
  Capabilities: optional(list(text)),
  CapMap: optional(decodeCapMap),
  UnsignedPeerAPIOnly: optional(bool),
  DataPlaneAuditLogID: optional(text),
  Expired: optional(bool),
  SelfNodeV4MasqAddrForThisPeer: optional(text),
  SelfNodeV6MasqAddrForThisPeer: optional(text),
  IsWireGuardOnly: optional(bool),
  IsJailed: optional(bool),
  ExitNodeDNSResolvers: optional(list(decodeResolver)),
})

/** Reads a peer change. */
export const decodePeerChange: JsonDecoder<PeerChange> = object<PeerChange>({
  NodeID: filled(int, 0),
  DERPRegion: optional(int),
  Cap: optional(int),
  CapMap: optional(decodeCapMap),
  Endpoints: optional(list(text)),
  Key: optional(decodeNodeKeyText),
  KeySignature: optional(text),
  DiscoKey: optional(decodeDiscoKeyText),
  Online: optional(bool),
  LastSeen: optional(text),
  KeyExpiry: optional(text),
})
