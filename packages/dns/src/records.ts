// What the resolver knows: the nodes of the map, the records the control server added, and who is asked about the
// rest. Taken in once a map, laid out for look-up.
import { formatAddress, type IpAddress } from '@mesh/wire/ip'
import { isDnsName, isWithin, normalizeName, parentOf } from './names.ts'
import { SERVICE_ADDRESS, SERVICE_ADDRESS_V6, SERVICE_NAME } from './service.ts'

/** A node and its name. */
export interface NodeRecord {
  /** The full name, such as `laptop.tail1234.ts.net`. */
  readonly name: string
  /** The node's addresses, IPv4 first where it has one. */
  readonly addresses: readonly IpAddress[]
  /** Whether the node answers for every name below its own (attribute `dns-subdomain-resolve`). */
  readonly subdomains?: boolean
}

/** A record that the control server adds by hand. */
export interface ExtraRecord {
  /** The full name. Several records of one name add up. */
  readonly name: string
  /** What it stands for. */
  readonly address: IpAddress
}

/** Who is asked about the names below a suffix. */
export interface Route {
  /** The suffix; empty for all names that no other route takes. */
  readonly suffix: string
  /** Resolvers, in the forms of data-plane section 8.9; none means that what is not known here does not exist. */
  readonly resolvers: readonly string[]
}

/** Everything the resolver answers from. */
export interface DnsRecords {
  /** The network's own suffix, such as `tail1234.ts.net`, when MagicDNS is on; bare names then resolve too. */
  readonly suffix?: string
  /** This node and its peers. */
  readonly nodes?: readonly NodeRecord[]
  /** Records added by hand; they come before the nodes. */
  readonly extra?: readonly ExtraRecord[]
  /** Where to forward. */
  readonly routes?: readonly Route[]
  /** False when this node has no IPv4 address itself; it then gets IPv6 ones only. Default true. */
  readonly selfHasIpv4?: boolean
  /** Whether nodes with both families get both (attribute `magicdns-aaaa`). Default false: IPv4 alone. */
  readonly bothFamilies?: boolean
}

/** Records laid out for look-up. Names in it are lower case, without a dot at the end. */
export class RecordTable {
  readonly #hosts = new Map<string, readonly IpAddress[]>()
  readonly #subdomains = new Set<string>()
  readonly #pointers = new Map<string, string>()
  readonly #authoritative: string[] = []
  readonly #routes: Route[] = []
  readonly #bareSuffix: string | undefined
  /** How many records were left out because their name is none. */
  readonly ignored: number

  constructor(records: DnsRecords) {
    const { suffix, nodes = [], extra = [], routes = [] } = records
    const good = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
      list.filter((r) => isDnsName(r.name))
    const [goodNodes, goodExtra] = [good(nodes), good(extra)]
    this.ignored = nodes.length + extra.length - goodNodes.length - goodExtra.length
    this.#bareSuffix = suffix === undefined ? undefined : normalizeName(suffix)
    for (const node of goodNodes) this.#addNode(node, records)
    for (const [name, addresses] of gather(goodExtra)) this.#hosts.set(name, addresses)
    for (const record of goodExtra) this.#addPointer(record.address, record.name)
    for (const address of [SERVICE_ADDRESS, SERVICE_ADDRESS_V6]) {
      this.#pointers.set(formatAddress(address), SERVICE_NAME)
    }
    this.#addRoutes(routes, goodExtra)
  }

  /** Returns the addresses of a name, also of a bare label and of names below a node that answers for them. */
  addressesOf(name: string): readonly IpAddress[] | undefined {
    const known = this.#hosts.get(name)
    if (known !== undefined) return known
    if (!name.includes('.')) return this.#bare(name)
    // Below a node anything may be asked for; what no record could be written for is not there.
    if (this.#subdomains.size === 0 || !isDnsName(name)) return undefined
    for (let parent = parentOf(name); parent !== ''; parent = parentOf(parent)) {
      if (this.#subdomains.has(parent)) return this.#hosts.get(parent)
    }
    return undefined
  }

  /** Returns the name of an address, without a dot at its end. */
  nameOf(address: IpAddress): string | undefined {
    return this.#pointers.get(formatAddress(address))
  }

  /** Returns the longest suffix around the name for which this node answers alone. */
  authorityOf(name: string): string | undefined {
    const route = this.routeOf(name)
    const authority = longestAround(name, this.#authoritative)
    if (authority === undefined || (route !== undefined && route.suffix.length > authority.length))
      return undefined
    return authority
  }

  /** Returns the route with the longest suffix around the name. */
  routeOf(name: string): Route | undefined {
    let best: Route | undefined
    for (const route of this.#routes) {
      if (isWithin(name, route.suffix) && (best === undefined || route.suffix.length > best.suffix.length))
        best = route
    }
    return best
  }

  #addNode(node: NodeRecord, { selfHasIpv4 = true, bothFamilies = false }: DnsRecords): void {
    const name = normalizeName(node.name)
    const v4 = node.addresses.filter((address) => address.length === 4)
    const v6 = node.addresses.filter((address) => address.length === 16)
    this.#hosts.set(name, chooseFamilies(v4, v6, selfHasIpv4, bothFamilies))
    if (node.subdomains === true) this.#subdomains.add(name)
    for (const address of node.addresses) this.#addPointer(address, name)
  }

  #addPointer(address: IpAddress, name: string): void {
    const key = formatAddress(address)
    if (!this.#pointers.has(key)) this.#pointers.set(key, normalizeName(name))
  }

  #addRoutes(routes: readonly Route[], extra: readonly ExtraRecord[]): void {
    if (this.#bareSuffix !== undefined) this.#authoritative.push(this.#bareSuffix, ...REVERSE_ZONES)
    for (const route of routes) {
      const suffix = normalizeName(route.suffix)
      if (route.resolvers.length === 0) this.#authoritative.push(suffix)
      else this.#routes.push({ ...route, suffix })
    }
    for (const { name } of extra) this.#coverExtra(normalizeName(name))
  }

  /** A name added by hand that no route takes is answered here alone. */
  #coverExtra(name: string): void {
    const covered = this.#authoritative.some((suffix) => isWithin(name, suffix))
    const routed = this.#routes.some((route) => route.suffix !== '' && isWithin(name, route.suffix))
    if (!covered && !routed) this.#authoritative.push(name)
  }

  #bare(label: string): readonly IpAddress[] | undefined {
    return this.#bareSuffix === undefined ? undefined : this.#hosts.get(`${label}.${this.#bareSuffix}`)
  }
}

/** The reverse zones of the mesh's own addresses: fd7a:115c:a1e0::/48, and 100.64.0.0/10 octet by octet. */
const REVERSE_ZONES: readonly string[] = [
  '0.e.1.a.c.5.1.1.a.7.d.f.ip6.arpa',
  ...Array.from({ length: 64 }, (_, index) => `${64 + index}.100.in-addr.arpa`),
]

function chooseFamilies(
  v4: readonly IpAddress[],
  v6: readonly IpAddress[],
  selfHasIpv4: boolean,
  bothFamilies: boolean,
): readonly IpAddress[] {
  if (!selfHasIpv4) return v6
  if (v4.length === 0) return v6
  return bothFamilies ? [...v4, ...v6] : v4
}

function gather(extra: readonly ExtraRecord[]): Map<string, IpAddress[]> {
  const byName = new Map<string, IpAddress[]>()
  for (const record of extra) {
    const name = normalizeName(record.name)
    byName.set(name, [...(byName.get(name) ?? []), record.address])
  }
  return byName
}

function longestAround(name: string, suffixes: readonly string[]): string | undefined {
  let best: string | undefined
  for (const suffix of suffixes) {
    if (isWithin(name, suffix) && (best === undefined || suffix.length > best.length)) best = suffix
  }
  return best
}
