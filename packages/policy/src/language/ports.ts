// Ports and protocols as rules write them (control §7.3, §7.4).
import type { PortRange } from '@mesh/wire/control'

/** Every port. */
export const ALL_PORTS: PortRange = { First: 0, Last: 65_535 }

/** The names of protocols, by number. */
const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['igmp', 2],
  ['ipv4', 4],
  ['ip-in-ip', 4],
  ['tcp', 6],
  ['egp', 8],
  ['igp', 9],
  ['udp', 17],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['ipv6-icmp', 58],
  ['sctp', 132],
  ['fc', 133],
])
/** The protocols that have ports. */
const WITH_PORTS: ReadonlySet<number | undefined> = new Set([undefined, 6, 17, 132])

/** Returns a protocol's number, `undefined` for the usual ones when nothing is written, or why it is none. */
export function parseProtocol(text: string | undefined): { readonly number: number | undefined } | string {
  if (text === undefined || text === '') return { number: undefined }
  const named = PROTOCOLS.get(text.toLowerCase())
  if (named !== undefined) return { number: named }
  if (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= 255) return { number: Number(text) }
  return `unknown protocol "${text}"`
}

/** Returns port ranges, as `*`, `22`, `80-90` or several with commas between, or why they are none. */
export function parsePorts(text: string): readonly PortRange[] | string {
  const ranges: PortRange[] = []
  for (const part of text.split(',')) {
    const range = parseRange(part)
    if (typeof range === 'string') return range
    ranges.push(range)
  }
  return ranges
}

/** Returns why these ports cannot go with this protocol; nothing when they can. */
export function portTrouble(protocol: number | undefined, ports: readonly PortRange[]): string | undefined {
  if (WITH_PORTS.has(protocol) || ports.every((range) => range === ALL_PORTS)) return undefined
  return `protocol ${protocol} has no ports: only "*" can follow`
}

function parseRange(text: string): PortRange | string {
  if (text === '*') return ALL_PORTS
  const [first = '', last = first, ...rest] = text.split('-')
  const why = (what: string): string => `port range "${text}": ${what}`
  if (!/^\d+$/.test(first)) return why('invalid first integer')
  if (!/^\d+$/.test(last) || rest.length > 0) return why('invalid last integer')
  const range = { First: Number(first), Last: Number(last) }
  if (range.First === 0) return why("first port must be >0, or use '*' for wildcard")
  if (range.Last > ALL_PORTS.Last) return why('ports end at 65535')
  return range.Last < range.First ? why('the last port is below the first') : range
}
