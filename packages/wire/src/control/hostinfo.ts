// What a node says about the machine it runs on and the network it sees. All of it is the node's own claim: a
// server treats every field as written by a stranger.

import {
  bool,
  dictionary,
  filled,
  float,
  int,
  type JsonDecoder,
  list,
  object,
  optional,
  text,
} from './schema.ts'

/** A port the node serves, or a peer API (control protocol §4.12). */
export interface Service {
  /** `tcp`, `udp`, `peerapi4`, `peerapi6` or `peerapi-dns-proxy`. */
  readonly Proto: string
  /** The port. */
  readonly Port: number
  /** What it is. */
  readonly Description?: string
}

/** Where a node says it is. */
export interface Location {
  /** The country's name. */
  readonly Country?: string
  /** The country's two letters. */
  readonly CountryCode?: string
  /** The city's name. */
  readonly City?: string
  /** The city's short code. */
  readonly CityCode?: string
  /** Degrees north. */
  readonly Latitude?: number
  /** Degrees east. */
  readonly Longitude?: number
  /** Higher is preferred as an exit. */
  readonly Priority?: number
}

/** What the node found out about its network (control protocol §4.4). */
export interface NetInfo {
  /** Whether the NAT gives each destination another port. */
  readonly MappingVariesByDestIP?: boolean
  /** Whether IPv6 reaches the internet. */
  readonly WorkingIPv6?: boolean
  /** Whether the system has IPv6 at all. */
  readonly OSHasIPv6?: boolean
  /** Whether UDP gets out. */
  readonly WorkingUDP?: boolean
  /** Whether ICMPv4 gets out. */
  readonly WorkingICMPv4?: boolean
  /** Whether a port mapping is held. */
  readonly HavePortMap?: boolean
  /** Whether the gateway speaks UPnP. */
  readonly UPnP?: boolean
  /** Whether the gateway speaks NAT-PMP. */
  readonly PMP?: boolean
  /** Whether the gateway speaks PCP. */
  readonly PCP?: boolean
  /** The home relay's region, 0 for none yet. */
  readonly PreferredDERP?: number
  /** `wired`, `wifi`, … */
  readonly LinkType?: string
  /** Seconds to each relay, keyed by `<region>-v4` or `<region>-v6`. */
  readonly DERPLatency?: Readonly<Record<string, number>>
  /** The firewall in use. */
  readonly FirewallMode?: string
}

/** The machine under a node (control protocol §4.3). */
export interface Hostinfo {
  /** The program's version. */
  readonly IPNVersion?: string
  /** The log id of the front end. */
  readonly FrontendLogID?: string
  /** The log id of the daemon. */
  readonly BackendLogID?: string
  /** `linux`, `macOS`, `windows`, … */
  readonly OS?: string
  /** The system's version. */
  readonly OSVersion?: string
  /** Whether it runs in a container. */
  readonly Container?: boolean
  /** A named environment. */
  readonly Env?: string
  /** The distribution. */
  readonly Distro?: string
  /** The distribution's version. */
  readonly DistroVersion?: string
  /** The distribution's code name. */
  readonly DistroCodeName?: string
  /** The program that embeds the node. */
  readonly App?: string
  /** Whether there is a desktop. */
  readonly Desktop?: boolean
  /** How it was packaged. */
  readonly Package?: string
  /** The device's model. */
  readonly DeviceModel?: string
  /** A token for push messages. */
  readonly PushDeviceToken?: string
  /** The name the machine gives itself. */
  readonly Hostname?: string
  /** Whether the node refuses all that comes in. */
  readonly ShieldsUp?: boolean
  /** Whether the node is here only because it was shared. */
  readonly ShareeNode?: boolean
  /** Whether the user turned logs off. */
  readonly NoLogsNoSupport?: boolean
  /** Whether the node lets control change its settings. */
  readonly RemoteConfig?: boolean
  /** Whether the node takes ingress. */
  readonly WireIngress?: boolean
  /** Whether ingress is on. */
  readonly IngressEnabled?: boolean
  /** Whether control may update the program. */
  readonly AllowsUpdate?: boolean
  /** The processor, as `uname -m` says. */
  readonly Machine?: string
  /** The processor, as Go says. */
  readonly GoArch?: string
  /** The processor's variant. */
  readonly GoArchVar?: string
  /** The Go that built it. */
  readonly GoVersion?: string
  /** The routes the node offers to carry, prefixes. */
  readonly RoutableIPs?: readonly string[]
  /** The tags the node asks for. */
  readonly RequestTags?: readonly string[]
  /** Addresses to wake it by. */
  readonly WoLMACs?: readonly string[]
  /** The ports it serves. */
  readonly Services?: readonly Service[]
  /** What it found out about its network. */
  readonly NetInfo?: NetInfo
  /** The SSH host keys. */
  readonly sshHostKeys?: readonly string[]
  /** The cloud it runs in. */
  readonly Cloud?: string
  /** Whether packets are handled in user space. */
  readonly Userspace?: boolean
  /** Whether routing is done in user space. */
  readonly UserspaceRouter?: boolean
  /** Whether it offers to be an app connector. */
  readonly AppConnector?: boolean
  /** The hash of the services it hosts. */
  readonly ServicesHash?: string
  /** Whether it relays for peers. */
  readonly PeerRelay?: boolean
  /** The stable id of the exit node in use. */
  readonly ExitNodeID?: string
  /** Where it is. */
  readonly Location?: Location
  /** Whether its state file is encrypted. */
  readonly StateEncrypted?: boolean
}

const decodeService: JsonDecoder<Service> = object<Service>({
  Proto: filled(text, ''),
  Port: filled(int, 0),
  Description: optional(text),
})

const decodeLocation: JsonDecoder<Location> = object<Location>({
  Country: optional(text),
  CountryCode: optional(text),
  City: optional(text),
  CityCode: optional(text),
  Latitude: optional(float),
  Longitude: optional(float),
  Priority: optional(int),
})

/** Reads a network report. */
export const decodeNetInfo: JsonDecoder<NetInfo> = object<NetInfo>({
  MappingVariesByDestIP: optional(bool),
  WorkingIPv6: optional(bool),
  OSHasIPv6: optional(bool),
  WorkingUDP: optional(bool),
  WorkingICMPv4: optional(bool),
  HavePortMap: optional(bool),
  UPnP: optional(bool),
  PMP: optional(bool),
  PCP: optional(bool),
  PreferredDERP: optional(int),
  LinkType: optional(text),
  DERPLatency: optional(dictionary(float)),
  FirewallMode: optional(text),
})

/** Reads a host report; fields it does not know are left behind. */
export const decodeHostinfo: JsonDecoder<Hostinfo> = object<Hostinfo>({
  IPNVersion: optional(text),
  FrontendLogID: optional(text),
  BackendLogID: optional(text),
  OS: optional(text),
  OSVersion: optional(text),
  Container: optional(bool),
  Env: optional(text),
  Distro: optional(text),
  DistroVersion: optional(text),
  DistroCodeName: optional(text),
  App: optional(text),
  Desktop: optional(bool),
  Package: optional(text),
  DeviceModel: optional(text),
  PushDeviceToken: optional(text),
  Hostname: optional(text),
  ShieldsUp: optional(bool),
  ShareeNode: optional(bool),
  NoLogsNoSupport: optional(bool),
  RemoteConfig: optional(bool),
  WireIngress: optional(bool),
  IngressEnabled: optional(bool),
  AllowsUpdate: optional(bool),
  Machine: optional(text),
  GoArch: optional(text),
  GoArchVar: optional(text),
  GoVersion: optional(text),
  RoutableIPs: optional(list(text)),
  RequestTags: optional(list(text)),
  WoLMACs: optional(list(text)),
  Services: optional(list(decodeService)),
  NetInfo: optional(decodeNetInfo),
  sshHostKeys: optional(list(text)),
  Cloud: optional(text),
  Userspace: optional(bool),
  UserspaceRouter: optional(bool),
  AppConnector: optional(bool),
  ServicesHash: optional(text),
  PeerRelay: optional(bool),
  ExitNodeID: optional(text),
  Location: optional(decodeLocation),
  StateEncrypted: optional(bool),
})
