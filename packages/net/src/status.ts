/**
 * What a node says of itself and its peers, in the field names that command lines of this family print as JSON. An
 * entry of its own, for programs that only ask a node: it brings none of the machinery.
 *
 * @packageDocumentation
 */

/** Where a node stands between "never logged in" and "carrying packets". */
export type BackendState = 'NoState' | 'NeedsLogin' | 'NeedsMachineAuth' | 'Stopped' | 'Starting' | 'Running'

/** The states in the order of the integers that stand for them on the notification bus. */
export const BACKEND_STATES = [
  'NoState',
  'InUseOtherUser',
  'NeedsLogin',
  'NeedsMachineAuth',
  'Stopped',
  'Starting',
  'Running',
] as const

/** One node as its status shows it: this one, or a peer. */
export interface PeerStatus {
  /** Stable id given by the control server. */
  readonly ID: string
  /** The number by which the map knows it; 0 before there is a map. */
  readonly NodeID: number
  /** Public node key as text. */
  readonly PublicKey: string
  /** Name of the machine as it reported itself. */
  readonly HostName: string
  /** Full name in the mesh, with its trailing dot. */
  readonly DNSName: string
  /** Operating system as reported. */
  readonly OS: string
  /** Owner's id, a key of {@link Status.User}. */
  readonly UserID: number
  /** Mesh addresses, IPv4 first. */
  readonly TailscaleIPs: readonly string[]
  /** Prefixes this node may send from. */
  readonly AllowedIPs: readonly string[]
  /** Tags that own the node, when it has any. */
  readonly Tags?: readonly string[]
  /** Endpoints that the node advertises (of itself: those it found). */
  readonly Addrs: readonly string[]
  /** The direct endpoint in use now; empty while relayed or idle. */
  readonly CurAddr: string
  /** The peer relay in use now, `address:port:vni:number`; empty while direct, relayed otherwise or idle. */
  readonly PeerRelay: string
  /** Code of the home relay region. */
  readonly Relay: string
  /** Why packets that go to the peer do not go straight: a code, which `mesh explain` tells more of. */
  readonly PathReason?: string
  /** Bytes received from the peer, as sealed datagrams. */
  readonly RxBytes: number
  /** Bytes sent to the peer, as sealed datagrams. */
  readonly TxBytes: number
  /** Datagrams and bytes by path; what the sums above are made of. */
  readonly Paths?: PathCounters
  /** When the node was registered, RFC 3339. */
  readonly Created: string
  /** When the node was last seen by control, RFC 3339; the zero time while it is online. */
  readonly LastSeen: string
  /** When the last handshake with the peer ended, RFC 3339; the zero time for never. */
  readonly LastHandshake: string
  /** True while control sees the node connected. */
  readonly Online: boolean
  /** True when packets went to the peer in the last 45 s. */
  readonly Active: boolean
  /** Always false: exit nodes are not offered yet. */
  readonly ExitNode: boolean
  /** True when the node offers itself as an exit node. */
  readonly ExitNodeOption: boolean
  /** True when the node is part of the current map. */
  readonly InNetworkMap: boolean
  /** True when a path to the node is kept. */
  readonly InMagicSock: boolean
  /** True when WireGuard knows the node. */
  readonly InEngine: boolean
  /** True when the node's key has expired. */
  readonly Expired?: boolean
  /** When the node's key ends, RFC 3339; absent when it does not. */
  readonly KeyExpiry?: string
  /** Attributes that the policy gives the node, with their values. */
  readonly CapMap?: Readonly<Record<string, readonly unknown[] | null>>
}

/** Sealed datagrams by the way they took. */
export interface PathCounters {
  /** Sent over UDP straight to the peer. */
  readonly directTx: number
  /** Received over UDP straight from the peer. */
  readonly directRx: number
  /** Sent over UDP through a peer relay. */
  readonly peerRelayTx: number
  /** Received over UDP through a peer relay. */
  readonly peerRelayRx: number
  /** Sent through a relay. */
  readonly relayTx: number
  /** Received through a relay. */
  readonly relayRx: number
}

/** The owner of nodes, as the status lists them. */
export interface UserStatus {
  /** The user's number. */
  readonly ID: number
  /** Name to log in with. */
  readonly LoginName: string
  /** Name to show. */
  readonly DisplayName: string
}

/** Who moves the packets of established sessions. */
export interface DataPlaneStatus {
  /** A thread of its own with Linux's offloads, WebAssembly on the control thread, or plain JavaScript there. */
  readonly Kind: 'linux' | 'wasm' | 'portable'
  /** Who seals and opens: the name of the AEAD's implementation; empty until it is known. */
  readonly AEAD: string
  /** Why it is not a faster one, where one was wanted; a clause each, between semicolons. */
  readonly Reason?: string
}

/** Packets that were thrown away, by who did it and why; reasons that have not come up are left out. */
export interface DropStatus {
  /** At the gate, between this host and the mesh: the packet filter's refusals (`no-rule`) among them. */
  readonly Gate: Readonly<Record<string, number>>
  /** By WireGuard: what is not authentic, not new, or not from an address of its sender's. */
  readonly WireGuard: Readonly<Record<string, number>>
  /** By path finding: what came from strangers, and what there was no path for. */
  readonly Paths: Readonly<Record<string, number>>
}

/** A node's whole status; what `mesh status --json` prints. */
export interface Status {
  /** Version of the daemon. */
  readonly Version: string
  /** True when packets go through a kernel device, false for the user-space stack. */
  readonly TUN: boolean
  /** Who moves the packets; absent until the node has begun. */
  readonly DataPlane?: DataPlaneStatus
  /** What was thrown away since the node began; absent until then. */
  readonly Drops?: DropStatus
  /** Where the node stands. */
  readonly BackendState: BackendState
  /** True when a node key exists. */
  readonly HaveNodeKey: boolean
  /** Where to log in by hand; empty when nothing waits for that. */
  readonly AuthURL: string
  /** This node's mesh addresses. */
  readonly TailscaleIPs: readonly string[] | null
  /** This node. */
  readonly Self: PeerStatus | null
  /** What is wrong now, a sentence each. */
  readonly Health: readonly string[]
  /** The suffix of mesh names, without dots around it. */
  readonly MagicDNSSuffix: string
  /** Name and suffix of the network; null before the first map. */
  readonly CurrentTailnet: {
    readonly Name: string
    readonly MagicDNSSuffix: string
    readonly MagicDNSEnabled: boolean
  } | null
  /** Names for which this node may ask for certificates; null when there are none. */
  readonly CertDomains: readonly string[] | null
  /** Peers by the text of their node key. */
  readonly Peer: Readonly<Record<string, PeerStatus>> | null
  /** Owners by their number. */
  readonly User: Readonly<Record<string, UserStatus>> | null
}

/**
 * The kinds of ping: over the path finder, through the tunnel, through the tunnel to the peer's own stack, and to the PeerAPI
 * that some peers offer there.
 */
export type PingType = 'disco' | 'TSMP' | 'ICMP' | 'peerapi'

/** What came back from one ping. */
export interface PingResult {
  /** The address asked. */
  readonly IP: string
  /** The peer's address in the mesh. */
  readonly NodeIP: string
  /** The peer's name, without the network's suffix. */
  readonly NodeName: string
  /** Why there is no answer; empty when there is one. */
  readonly Err: string
  /** Round trip in seconds. */
  readonly LatencySeconds: number
  /** UDP endpoint that answered; empty when the answer came through a relay. */
  readonly Endpoint: string
  /** Peer relay that carried the answer, `address:port:vni:number`; empty when none did. */
  readonly PeerRelay: string
  /** Relay region that carried the answer, 0 for a direct one. */
  readonly DERPRegionID: number
  /** That region's code; empty for a direct answer. */
  readonly DERPRegionCode: string
  /** Where the PeerAPI is that was asked; absent for the other kinds. */
  readonly PeerAPIURL?: string
  /** True when the address is this node's own. */
  readonly IsLocalIP: boolean
}

/** Why a peer has the path it has, and what would make it direct; what `mesh explain` prints. */
export interface PathReport {
  /** The peer's name, without the network's suffix. */
  readonly NodeName: string
  /** The peer's address in the mesh. */
  readonly NodeIP: string
  /** The path that packets take now. */
  readonly Path: {
    /** Straight, through a peer that relays, through a relay of the network, or no path at all. */
    readonly Kind: 'direct' | 'peer-relay' | 'relay' | 'none'
    /** Where packets go, for a direct path and a peer that relays. */
    readonly Endpoint?: string
    /** Round trip in seconds, for the same. */
    readonly LatencySeconds?: number
    /** The relay region's code, for a relay. */
    readonly DERPRegionCode?: string
  }
  /** Why, the surest first; at least one. */
  readonly Causes: readonly {
    readonly Code: string
    readonly Certainty: 'certain' | 'likely' | 'possible'
    readonly Text: string
  }[]
  /** What would help, the most useful first; none for a direct path. */
  readonly Remedies: readonly { readonly Code: string; readonly Text: string }[]
  /** The largest IP packet that has been seen to pass by the path in use, where larger ones than usual have been tried. */
  readonly MTU?: number
  /** How long a path to the peer lives while nobody uses it, where that has been found out. */
  readonly UDPLifetime?: {
    /** The path it was tried on. */
    readonly Endpoint: string
    /** The longest silence it has outlived, in seconds; 0 for none of those tried. */
    readonly AtLeastSeconds: number
    /** The silence it has not outlived; absent when there was none. */
    readonly LessThanSeconds?: number
  }
  /** What was tried and seen, longest ago first. */
  readonly Seen: readonly {
    readonly Event: string
    readonly Place: string
    readonly Times: number
    readonly SecondsAgo: number
  }[]
  /** All of it as text. */
  readonly Text: string
}

/** What the node found out about the network it sits in; what `mesh netcheck` prints. */
export interface NetcheckReport {
  /** When it was made, as RFC 3339 has it. */
  readonly Now: string
  /** True when UDP reached a relay's STUN server. */
  readonly UDP: boolean
  /** True when that was over IPv4. */
  readonly IPv4: boolean
  /** True when that was over IPv6. */
  readonly IPv6: boolean
  /** True when this machine has IPv6 at all, whether anything is reached by it or not. */
  readonly OSHasIPv6: boolean
  /** This node's IPv4 endpoint as others see it; empty when unknown. */
  readonly GlobalV4: string
  /** This node's IPv6 endpoint as others see it; empty when unknown. */
  readonly GlobalV6: string
  /** True when the NAT gives every destination another mapping; absent when unknown. */
  readonly MappingVariesByDestIP?: boolean
  /** Whether a relay answered an ICMP echo over IPv4; absent where nobody asked, for UDP works. */
  readonly ICMPv4?: boolean
  /** Whether a captive portal stands before the internet; absent when nobody looked. */
  readonly CaptivePortal?: boolean
  /** Whether the gateway speaks UPnP; absent until it was asked. */
  readonly UPnP?: boolean
  /** Whether the gateway speaks NAT-PMP; absent until it was asked. */
  readonly PMP?: boolean
  /** Whether the gateway speaks PCP; absent until it was asked. */
  readonly PCP?: boolean
  /** The endpoint that the gateway maps to this node, while it does. */
  readonly PortMapping?: string
  /** The home relay region, 0 for none yet. */
  readonly PreferredDERP: number
  /** Round trip by region, in nanoseconds, as tools of the family read it: over whatever answered. */
  readonly RegionLatency: Readonly<Record<string, number>>
  /** The same by STUN over IPv4. */
  readonly RegionV4Latency: Readonly<Record<string, number>>
  /** The same by STUN over IPv6. */
  readonly RegionV6Latency: Readonly<Record<string, number>>
  /** Regions with code, name and the measured round trip in seconds (absent when not measured). */
  readonly Regions: readonly {
    readonly RegionID: number
    readonly RegionCode: string
    readonly RegionName: string
    readonly LatencySeconds?: number
  }[]
  /** All of it as text, in the shape that people know. */
  readonly Text: string
}

/** The zero time, as the JSON of this family writes "never". */
export const ZERO_TIME = '0001-01-01T00:00:00Z'
