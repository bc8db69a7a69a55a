// What a node knows of its network at one moment. A map never changes; an update makes the next one.
import type {
  ClientVersion,
  ControlDialPlan,
  DERPMap,
  DisplayMessage,
  DNSConfig,
  FilterRule,
  SSHPolicy,
  TKAInfo,
  UserProfile,
} from '@mesh/wire/control'
import type { MapNode } from './map-node.ts'

/** The network as control described it, up to the last update. Immutable: safe to keep and to compare. */
export interface NetworkMap {
  /** This node. */
  readonly self: MapNode
  /** The peers, sorted by `id`. */
  readonly peers: readonly MapNode[]
  /** The relays; `undefined` before control told any, which leaves the node without a home relay. */
  readonly derpMap: DERPMap | undefined
  /** The DNS settings; empty without any. */
  readonly dns: DNSConfig
  /** The network's name, for display. The suffix of names is {@link magicDnsSuffix}. */
  readonly domain: string
  /** The named parts of the packet filter. */
  readonly packetFilters: ReadonlyMap<string, readonly FilterRule[]>
  /** The packet filter: its parts in the order of their names. No rules means that nothing comes in. */
  readonly packetFilter: readonly FilterRule[]
  /** The users by number; never fewer within one session. */
  readonly userProfiles: ReadonlyMap<number, UserProfile>
  /** Who may open SSH sessions; `undefined` when control never said. */
  readonly sshPolicy: SSHPolicy | undefined
  /** Whether control wants to know the ports served here; `undefined` when it never said. */
  readonly collectServices: boolean | undefined
  /** Warnings from control in the old form. */
  readonly health: readonly string[]
  /** Messages from control by id. */
  readonly messages: ReadonlyMap<string, DisplayMessage>
  /** Where the tailnet lock stands; `undefined` means off. */
  readonly tkaInfo: TKAInfo | undefined
  /** The network's id in flow logs. */
  readonly auditLogId: string
  /** What control knows of newer programs. */
  readonly clientVersion: ClientVersion | undefined
  /** How to dial control. */
  readonly dialPlan: ControlDialPlan | undefined
  /** How far control's clock is ahead of this machine's, milliseconds; less than a minute counts as 0. */
  readonly clockOffset: number
}

/** Returns the suffix of names in this network, without dots around it; empty when the node's name has none. */
export function magicDnsSuffix(map: NetworkMap): string {
  const name = map.self.name.replace(/\.$/, '')
  const dot = name.indexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1)
}

/** Returns a name that is short for nodes of this network, and whole (without its trailing dot) for others. */
export function displayName(map: NetworkMap, node: MapNode): string {
  const name = node.name.replace(/\.$/, '')
  const suffix = `.${magicDnsSuffix(map)}`
  return suffix !== '.' && name.endsWith(suffix) ? name.slice(0, -suffix.length) : name
}
