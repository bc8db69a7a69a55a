// The endpoints this node tells others about: how they are called, in which order they come, and for how long
// one that is seen no more is still worth telling (data-plane.md section 5.8).
import { type Endpoint, formatAddress, type IpAddress, isLoopback } from '@mesh/wire/ip'
import type { SocketPorts } from './datagram-socket.ts'
import { type EndpointKey, endpointKey } from './endpoint-key.ts'
import type { NetcheckReport } from './netcheck-report.ts'

/** How an endpoint was found, with the numbers the control protocol uses. */
export const ENDPOINT_TYPE = {
  unknown: 0,
  local: 1,
  stun: 2,
  portmapped: 3,
  stun4LocalPort: 4,
  explicit: 5,
} as const

/** One of the numbers of {@link ENDPOINT_TYPE}. */
export type EndpointType = (typeof ENDPOINT_TYPE)[keyof typeof ENDPOINT_TYPE]

/** An address at which this node may be reached, and how that is known. */
export interface LocalEndpoint {
  /** Where. */
  readonly endpoint: Endpoint
  /** How it was found. */
  readonly type: EndpointType
}

/** For how long an endpoint that was found once is told after it was last found. */
export const ENDPOINT_CACHE_DURATION = 5 * 60_000 + 10_000
/** How many ports of one address are told. */
export const MAX_ENDPOINTS_PER_ADDRESS = 6

/** What the list is made from. */
export interface EndpointInput {
  /** The last netcheck. */
  readonly report: NetcheckReport | undefined
  /** Local addresses, already chosen. */
  readonly addresses: readonly IpAddress[]
  /** Where the sockets are bound. */
  readonly ports: SocketPorts
  /** The port was asked for, so somebody may have forwarded it by hand. */
  readonly fixedPort: boolean
  /** Loopback addresses count. */
  readonly loopback: boolean
  /** Where the gateway's port mapping is, if there is one. */
  readonly portmapped: Endpoint | undefined
}

/** Makes the list, and remembers what it was. */
export class EndpointBook {
  readonly #found = new Map<EndpointKey, { readonly local: LocalEndpoint; seenAt: number }>()
  #list: readonly LocalEndpoint[] = []

  /** The list as last made. */
  get list(): readonly LocalEndpoint[] {
    return this.#list
  }

  /** Makes the list anew. Returns whether it holds others than before. */
  update(input: EndpointInput, now: number): boolean {
    const list = new Map<EndpointKey, LocalEndpoint>()
    const add = (local: LocalEndpoint): void => {
      const key = endpointKey(local.endpoint)
      if (!list.has(key)) list.set(key, local)
    }
    // Not remembered like the others: one knows when it ends.
    if (input.portmapped !== undefined) {
      add({ endpoint: input.portmapped, type: ENDPOINT_TYPE.portmapped })
    }
    for (const local of foundByStun(input)) {
      if (!input.loopback && isLoopback(local.endpoint.address)) continue
      this.#found.set(endpointKey(local.endpoint), { local, seenAt: now })
      add(local)
    }
    for (const local of this.#remembered(now)) add(local)
    for (const local of bound(input)) add(local)
    const before = this.#list
    this.#list = [...list.values()]
    return !sameSet(before, this.#list)
  }

  /** Forgets what was found before: it was another network. */
  forget(): void {
    this.#found.clear()
  }

  /** Returns what was found lately, newest first, a few for each address. */
  #remembered(now: number): LocalEndpoint[] {
    const perAddress = new Map<string, number>()
    const newestFirst = [...this.#found].sort((a, b) => b[1].seenAt - a[1].seenAt)
    return newestFirst.flatMap(([key, { local, seenAt }]) => {
      const address = formatAddress(local.endpoint.address)
      const count = (perAddress.get(address) ?? 0) + 1
      perAddress.set(address, count)
      if (now - seenAt <= ENDPOINT_CACHE_DURATION && count <= MAX_ENDPOINTS_PER_ADDRESS) return [local]
      this.#found.delete(key)
      return []
    })
  }
}

function foundByStun({ report, ports, fixedPort }: EndpointInput): LocalEndpoint[] {
  if (report === undefined) return []
  const seen = [...report.globalV4, ...report.globalV6].map((endpoint) => ({
    endpoint,
    type: ENDPOINT_TYPE.stun,
  }))
  const first = report.globalV4[0]
  if (!fixedPort || ports.v4 === undefined || first === undefined) return seen
  if (report.mappingVariesByDestIp !== true) return seen
  // Behind a NAT that maps anew for every destination, a hand-made port forward is the one hope left.
  const guess = { address: first.address, port: ports.v4 }
  return [...seen, { endpoint: guess, type: ENDPOINT_TYPE.stun4LocalPort }]
}

/** Other implementations put the IPv4 port to every local address; ours are the same number where it can be had. */
function bound({ addresses, ports }: EndpointInput): LocalEndpoint[] {
  return addresses.flatMap((address) => {
    const port = address.length === 4 ? ports.v4 : ports.v6
    return port === undefined ? [] : [{ endpoint: { address, port }, type: ENDPOINT_TYPE.local }]
  })
}

function sameSet(a: readonly LocalEndpoint[], b: readonly LocalEndpoint[]): boolean {
  if (a.length !== b.length) return false
  const types = new Map(a.map((local) => [endpointKey(local.endpoint), local.type]))
  return b.every((local) => types.get(endpointKey(local.endpoint)) === local.type)
}
