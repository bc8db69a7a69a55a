// NAT routers out of nftables, one for each way of mapping and filtering that RFC 4787 names. Linux by itself maps and
// filters by address and port. The kinder sorts are made with two tables that the packets themselves fill: what an
// inside socket looks like outside (so that the next destination sees the same), and whom an outside port belongs to.

/** By what a NAT tells destinations, or senders, apart. */
export type NatBehaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

/** How a router treats what is behind it. */
export interface NatKind {
  /** When one inside socket keeps its outside port. */
  readonly mapping: NatBehaviour
  /** Who may send to that port. */
  readonly filtering: NatBehaviour
  /** Whether the outside port is the inside one where possible, or drawn. */
  readonly ports: 'kept' | 'drawn'
  /** No UDP passes at all. */
  readonly dropsUdp?: boolean
}

const INDEPENDENT = 'endpoint-independent'
const ADDRESS = 'address-dependent'
const PORT = 'address-and-port-dependent'

/** The kinds of router of the table, from what is found in homes and offices. `fw` translates nothing. */
export const ROUTERS = {
  linux: { mapping: PORT, filtering: PORT, ports: 'kept' },
  fullcone: { mapping: INDEPENDENT, filtering: INDEPENDENT, ports: 'kept' },
  addrcone: { mapping: INDEPENDENT, filtering: ADDRESS, ports: 'drawn' },
  portcone: { mapping: INDEPENDENT, filtering: PORT, ports: 'drawn' },
  adm: { mapping: ADDRESS, filtering: PORT, ports: 'drawn' },
  sym: { mapping: PORT, filtering: PORT, ports: 'drawn' },
  fw: undefined,
  noudp: { mapping: PORT, filtering: PORT, ports: 'kept', dropsUdp: true },
} as const satisfies Record<string, NatKind | undefined>

/** What a router does besides, for better or worse. */
export interface Quirks {
  /** Packets from inside to an outside port of its own come back in, with an outside source. */
  readonly hairpin?: boolean
  /** Percent of the datagrams that pass, either way, and are lost. */
  readonly loss?: number
  /** IPv4 packets of UDP longer than this are dropped without a word. */
  readonly maxLength?: number
  /** What looks like WireGuard or disco is dropped. */
  readonly dropsWireGuard?: boolean
  /** Nothing leaves but TCP to this address and port. */
  readonly onlyProxy?: { readonly address: string; readonly port: number }
}

/** Lifetime of a mapping. */
const MAPPING_LIFETIME = '60s'
/** The inside socket and its outside face, as a packet that began inside shows them. */
const INSIDE = 'ct original ip saddr . ct original proto-src'
const OUTSIDE = 'ct reply ip daddr . ct reply proto-dst'

/**
 * Returns the nft rules of a router with interfaces `wan` and `lan` and this outside address. Without a kind it
 * translates nothing, and lets in what answers.
 */
export function natRules(kind: NatKind | undefined, outside: string, quirks: Quirks = {}): string {
  const drops = [...(kind?.dropsUdp === true ? ['meta l4proto udp drop'] : []), ...dropRules(quirks)]
  const hairpin = quirks.hairpin === true
  return `table ip nat_lab {
    map faces { type ipv4_addr . inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout ${MAPPING_LIFETIME}; }
    map faces_to { type ipv4_addr . inet_service . ipv4_addr : ipv4_addr . inet_service; flags dynamic,timeout; timeout ${MAPPING_LIFETIME}; }
    map owners { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; timeout ${MAPPING_LIFETIME}; }
    set contacts { type ipv4_addr . inet_service; flags dynamic,timeout; timeout ${MAPPING_LIFETIME}; }
    chain inwards { type nat hook prerouting priority dstnat;
      ${kind === undefined ? '' : letIn(kind, outside)}
      ${hairpin ? `iifname lan ip daddr ${outside} meta l4proto udp dnat ip to udp dport map @owners` : ''}
    }
    chain outwards { type nat hook postrouting priority srcnat;
      ${hairpin ? TURN_BACK : ''}
      ${kind === undefined ? '' : translate(kind)}
    }
    chain remember { type filter hook postrouting priority 105;
      ${kind === undefined ? '' : remember(kind, hairpin)}
    }
    chain forward { type filter hook forward priority filter; policy drop;
      ${drops.join('\n      ')}
      iifname lan oifname wan accept
      ct state established,related accept
      ct status dnat accept
    }
    chain input { type filter hook input priority filter; policy drop;
      iifname != wan accept
      ct state established,related accept
      meta l4proto icmp accept
    }
  }`
}

/** What comes back in gets an outside source: the one its socket has already, where there is one. */
const TURN_BACK = `iifname lan oifname lan ct status dnat meta l4proto udp snat ip to ip saddr . udp sport map @faces
      iifname lan oifname lan ct status dnat masquerade`

function dropRules({ loss, maxLength, dropsWireGuard, onlyProxy }: Quirks): string[] {
  const rules: string[] = []
  if (loss !== undefined) rules.push(`meta l4proto udp numgen random mod 100 < ${loss} drop`)
  if (maxLength !== undefined) rules.push(`meta l4proto udp ip length > ${maxLength} drop`)
  if (dropsWireGuard === true) {
    rules.push('meta l4proto udp @th,64,32 { 0x01000000, 0x02000000, 0x03000000, 0x04000000 } drop')
    rules.push('meta l4proto udp @th,64,48 0x5453f09f92ac drop')
  }
  if (onlyProxy !== undefined) {
    const { address, port } = onlyProxy
    rules.push(`iifname lan oifname wan ip daddr . tcp dport != { ${address} . ${port} } drop`)
    rules.push('iifname lan meta l4proto udp drop')
  }
  return rules
}

function letIn({ filtering }: NatKind, outside: string): string {
  const packet = `iifname wan ip daddr ${outside} meta l4proto udp`
  if (filtering === PORT) return ''
  const known = filtering === ADDRESS ? 'ip saddr . udp dport @contacts ' : ''
  return `${packet} ${known}dnat ip to udp dport map @owners`
}

function translate({ mapping, ports }: NatKind): string {
  const draw = ports === 'kept' ? '' : mapping === PORT ? 'random' : 'fully-random'
  const udp = 'oifname wan meta l4proto udp snat ip to ip saddr . udp sport'
  const again =
    mapping === INDEPENDENT
      ? `${udp} map @faces`
      : mapping === ADDRESS
        ? `${udp} . ip daddr map @faces_to`
        : ''
  return `${again}\n      oifname wan masquerade ${draw}`
}

/** Fills the tables with what the kernel has just chosen; an answer to somebody let in keeps its mapping alive. */
function remember({ mapping, filtering }: NatKind, hairpin: boolean): string {
  const udp = 'oifname wan meta l4proto udp ct direction'
  const answerer = 'ct reply ip saddr . ct reply proto-src'
  const rules = []
  if (mapping === INDEPENDENT) {
    rules.push(`${udp} original update @faces { ${INSIDE} : ${OUTSIDE} }`)
    rules.push(`${udp} reply update @faces { ${answerer} : ct original ip daddr . ct original proto-dst }`)
  }
  if (mapping === ADDRESS)
    rules.push(`${udp} original update @faces_to { ${INSIDE} . ip daddr : ${OUTSIDE} }`)
  if (filtering !== PORT || hairpin) {
    rules.push(`${udp} original update @owners { ct reply proto-dst : ${INSIDE} }`)
    rules.push(`${udp} reply update @owners { ct original proto-dst : ${answerer} }`)
    rules.push(`${udp} original update @contacts { ip daddr . ct reply proto-dst }`)
  }
  return rules.join('\n      ')
}
