// Queries written and answers read by dns-packet, with its own types where a test does not need them exact.
import { createRequire } from 'node:module'
import type { DnsOutcome } from '../src/index.ts'
import { DnsResolver } from '../src/index.ts'
import { parseAddress, type IpAddress } from '@mesh/wire/ip'

/** A message as dns-packet reads it. */
export interface Decoded {
  readonly id: number
  readonly rcode: string
  readonly flag_qr: boolean
  readonly flag_aa: boolean
  readonly flag_tc: boolean
  readonly flag_rd: boolean
  readonly flag_ra: boolean
  readonly questions: readonly { readonly name: string; readonly type: string }[]
  readonly answers: readonly {
    readonly name: string
    readonly type: string
    readonly ttl: number
    readonly data: unknown
  }[]
  readonly authorities: readonly {
    readonly name: string
    readonly type: string
    readonly ttl: number
    readonly data: unknown
  }[]
}

const codec = createRequire(import.meta.url)('dns-packet') as {
  encode(message: object): Uint8Array
  decode(bytes: Uint8Array): Decoded
}

export function ip(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(text)
  return address
}

/** Returns a query that asks for recursion. */
export function query(name: string, type = 'A', more: object = {}): Uint8Array {
  return codec.encode({ type: 'query', id: 0x1234, flags: 0x0100, questions: [{ name, type }], ...more })
}

/** Reads a message. */
export function decoded(message: Uint8Array): Decoded {
  return codec.decode(Buffer.from(message))
}

/** Reads an outcome that must be an answer. */
export function answerOf(outcome: DnsOutcome): Decoded {
  if (outcome.kind !== 'answer') throw new Error(`no answer but ${outcome.kind}`)
  return codec.decode(Buffer.from(outcome.message))
}

/** Returns a short form of what the resolver says: `A 100.64.0.2`, `NXDOMAIN`, `forward 8.8.8.8`, `no data`. */
export function ask(resolver: DnsResolver, name: string, type = 'A'): string {
  const outcome = resolver.handleQuery(query(name, type))
  if (outcome.kind === 'forward') return `forward ${outcome.resolvers.join(' ')}`
  const { rcode, answers } = answerOf(outcome)
  const [record] = answers
  if (rcode !== 'NOERROR') return rcode
  return record === undefined ? 'no data' : `${record.type} ${String(record.data)}`
}

/** A network of three: us, a laptop with both families, and a box that has IPv6 alone. */
export const NETWORK = {
  suffix: 'tail1234.ts.net',
  nodes: [
    { name: 'self.tail1234.ts.net', addresses: [ip('100.64.0.1'), ip('fd7a:115c:a1e0::1')] },
    { name: 'laptop.tail1234.ts.net', addresses: [ip('100.64.0.2'), ip('fd7a:115c:a1e0::2')] },
    { name: 'box.tail1234.ts.net', addresses: [ip('fd7a:115c:a1e0::3')], subdomains: true },
  ],
  routes: [{ suffix: '', resolvers: ['9.9.9.9'] }],
} as const

export function networkResolver(more: object = {}): DnsResolver {
  return new DnsResolver({ ...NETWORK, ...more })
}
