// `POST /machine/map`, the answering side: a snapshot first, then changes (control protocol §3.5).

import { type DERPMap, decodeDERPMap } from './derp-map.ts'
import { type DNSConfig, decodeDNSConfig } from './dns-config.ts'
import { decodeFilterRule, type FilterRule } from './filter-rule.ts'
import { decodeNode, decodePeerChange, type Node, type PeerChange } from './node.ts'
import { decodePingRequest, type PingRequest } from './ping-request.ts'
import {
  bool,
  dictionary,
  filled,
  float,
  int,
  type JsonDecoder,
  list,
  nullable,
  object,
  optional,
  required,
  text,
} from './schema.ts'
import { decodeSSHPolicy, type SSHPolicy } from './ssh-policy.ts'
import { decodeUserProfile, type UserProfile } from './user.ts'

/** A button under a message. */
export interface DisplayMessageAction {
  /** Where it leads. */
  readonly URL: string
  /** What it says. */
  readonly Label: string
}

/** A message for the person at the node. */
export interface DisplayMessage {
  /** The title. */
  readonly Title: string
  /** The text. */
  readonly Text: string
  /** `high`, `medium` or `low`. */
  readonly Severity?: string
  /** Whether it says that traffic suffers. */
  readonly ImpactsConnectivity?: boolean
  /** A button. */
  readonly PrimaryAction?: DisplayMessageAction
}

/** Orders to the program. */
export interface Debug {
  /** Seconds to wait before going on; at most 300. */
  readonly SleepSeconds?: number
  /** Whether log upload stops for good. */
  readonly DisableLogTail?: boolean
  /** A code to end the program with. */
  readonly Exit?: number
}

/** One way to dial control. */
export interface ControlIPCandidate {
  /** The address. */
  readonly IP?: string
  /** A host that dials on. */
  readonly ACEHost?: string
  /** When to start, seconds. */
  readonly DialStartDelaySec?: number
  /** When to give up, seconds. */
  readonly DialTimeoutSec?: number
  /** Higher is preferred. */
  readonly Priority?: number
}

/** The ways to dial control. */
export interface ControlDialPlan {
  /** The candidates; none clears the plan. */
  readonly Candidates: readonly ControlIPCandidate[]
}

/** What control knows of newer programs. */
export interface ClientVersion {
  /** Whether this is the newest. */
  readonly RunningLatest?: boolean
  /** The newest version. */
  readonly LatestVersion?: string
  /** Whether the update is urgent. */
  readonly UrgentSecurityUpdate?: boolean
  /** Whether to tell the person. */
  readonly Notify?: boolean
  /** Where to send them. */
  readonly NotifyURL?: string
  /** What to say. */
  readonly NotifyText?: string
}

/** Where the tailnet lock stands. */
export interface TKAInfo {
  /** The head, base32. */
  readonly Head?: string
  /** Whether the lock was turned off. */
  readonly Disabled?: boolean
}

/** A message of the map stream. Absent fields mean "as before". */
export interface MapResponse {
  /** A session to go on with. */
  readonly MapSessionHandle?: string
  /** Where in that session. */
  readonly Seq?: number
  /** A sign of life; nearly every other field is to be ignored. */
  readonly KeepAlive?: boolean
  /** A question to answer. */
  readonly PingRequest?: PingRequest
  /** A page to open. */
  readonly PopBrowserURL?: string
  /** The node itself, whole. */
  readonly Node?: Node
  /** The relays. */
  readonly DERPMap?: DERPMap
  /** All peers; an empty list changes nothing. */
  readonly Peers?: readonly Node[]
  /** Peers that are new or changed, whole. */
  readonly PeersChanged?: readonly Node[]
  /** Peers that are gone. */
  readonly PeersRemoved?: readonly number[]
  /** Changes to peers. */
  readonly PeersChangedPatch?: readonly PeerChange[]
  /** By peer: `true` sets when it was last seen to now, `false` clears it. */
  readonly PeerSeenChange?: Readonly<Record<string, boolean>>
  /** By peer: whether it is online. */
  readonly OnlineChange?: Readonly<Record<string, boolean>>
  /** The DNS settings, whole. */
  readonly DNSConfig?: DNSConfig
  /** The network's name. */
  readonly Domain?: string
  /** Whether the node is to report the ports it serves. */
  readonly CollectServices?: boolean
  /** The filter named `base`. */
  readonly PacketFilter?: readonly FilterRule[]
  /** Filters by name; `null` deletes one, `*` with `null` all that were. */
  readonly PacketFilters?: Readonly<Record<string, readonly FilterRule[] | null>>
  /** Users, added to those known. */
  readonly UserProfiles?: readonly UserProfile[]
  /** Warnings, in the old form. */
  readonly Health?: readonly string[]
  /** Messages by id; `null` deletes one, `*` with `null` all that were. */
  readonly DisplayMessages?: Readonly<Record<string, DisplayMessage | null>>
  /** The SSH policy, whole. */
  readonly SSHPolicy?: SSHPolicy
  /** Control's clock. */
  readonly ControlTime?: string
  /** Where the tailnet lock stands. */
  readonly TKAInfo?: TKAInfo
  /** The id for flow logs. */
  readonly DomainDataPlaneAuditLogID?: string
  /** Orders to the program. */
  readonly Debug?: Debug
  /** The ways to dial control. */
  readonly ControlDialPlan?: ControlDialPlan
  /** What control knows of newer programs. */
  readonly ClientVersion?: ClientVersion
  /** Whether to update by itself, in the old form. */
  readonly DefaultAutoUpdate?: boolean
}

/** The one keep-alive message; byte-identical each time. */
export const KEEP_ALIVE_RESPONSE: MapResponse = { KeepAlive: true }

const decodeDisplayMessage: JsonDecoder<DisplayMessage> = object<DisplayMessage>({
  Title: filled(text, ''),
  Text: filled(text, ''),
  Severity: optional(text),
  ImpactsConnectivity: optional(bool),
  PrimaryAction: optional(object<DisplayMessageAction>({ URL: filled(text, ''), Label: filled(text, '') })),
})

const decodeCandidate: JsonDecoder<ControlIPCandidate> = object<ControlIPCandidate>({
  IP: optional(text),
  ACEHost: optional(text),
  DialStartDelaySec: optional(float),
  DialTimeoutSec: optional(float),
  Priority: optional(int),
})

const decodeClientVersion: JsonDecoder<ClientVersion> = object<ClientVersion>({
  RunningLatest: optional(bool),
  LatestVersion: optional(text),
  UrgentSecurityUpdate: optional(bool),
  Notify: optional(bool),
  NotifyURL: optional(text),
  NotifyText: optional(text),
})

/** Reads a map response; a field of the wrong kind anywhere refuses the whole, as in Go. */
export const decodeMapResponse: JsonDecoder<MapResponse> = object<MapResponse>({
  MapSessionHandle: optional(text),
  Seq: optional(int),
  KeepAlive: optional(bool),
  PingRequest: optional(decodePingRequest),
  PopBrowserURL: optional(text),
  Node: optional(decodeNode),
  DERPMap: optional(decodeDERPMap),
  Peers: optional(list(decodeNode)),
  PeersChanged: optional(list(decodeNode)),
  PeersRemoved: optional(list(int)),
  PeersChangedPatch: optional(list(decodePeerChange)),
  PeerSeenChange: optional(dictionary(bool)),
  OnlineChange: optional(dictionary(bool)),
  DNSConfig: optional(decodeDNSConfig),
  Domain: optional(text),
  CollectServices: optional(bool),
  PacketFilter: optional(list(decodeFilterRule)),
  PacketFilters: optional(dictionary(nullable(list(decodeFilterRule)))),
  UserProfiles: optional(list(decodeUserProfile)),
  Health: optional(list(text)),
  DisplayMessages: optional(dictionary(nullable(decodeDisplayMessage))),
  SSHPolicy: optional(decodeSSHPolicy),
  ControlTime: optional(text),
  TKAInfo: optional(object<TKAInfo>({ Head: optional(text), Disabled: optional(bool) })),
  DomainDataPlaneAuditLogID: optional(text),
  Debug: optional(
    object<Debug>({ SleepSeconds: optional(float), DisableLogTail: optional(bool), Exit: optional(int) }),
  ),
  ControlDialPlan: optional(object<ControlDialPlan>({ Candidates: required(list(decodeCandidate)) })),
  ClientVersion: optional(decodeClientVersion),
  DefaultAutoUpdate: optional(bool),
})
