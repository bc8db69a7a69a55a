// The resolver behind 100.100.100.100 (data-plane section 8.9): it answers the names of the mesh itself and says of
// every other query whom to ask. It holds no socket and no cache, and nothing a stranger sends makes it throw.
import { formatAddress, type IpAddress } from '@mesh/wire/ip'
import {
  decodeQuery,
  encodeAnswer,
  isResponse,
  isStandardQuery,
  markTruncated,
  type Query,
  type QueryContext,
  type Question,
  type Record,
  type ResponseCode,
  type Sections,
} from './message.ts'
import { addressOfReverseName, isWithin, normalizeName } from './names.ts'
import { type DnsRecords, RecordTable } from './records.ts'
import { fourToSixOf, SERVICE_ADDRESS, SERVICE_ADDRESS_V6, SERVICE_NAME, viaAddressOf } from './service.ts'

/** How long an answer may be kept, in seconds: nodes come and go. */
export const ANSWER_TTL = 5
/** How long "there is no such thing" may be kept, in seconds. */
export const NEGATIVE_TTL = 10

/** What to do with a query. */
export type DnsOutcome =
  /** Send these bytes back. */
  | { readonly kind: 'answer'; readonly message: Uint8Array }
  /** Pass the query on unchanged to these resolvers, and the first good answer back. */
  | { readonly kind: 'forward'; readonly resolvers: readonly string[] }
  /** It is no DNS message at all; say nothing. */
  | { readonly kind: 'drop' }

/** Answers the names of the map. */
export class DnsResolver {
  #table: RecordTable

  constructor(records: DnsRecords = {}) {
    this.#table = new RecordTable(records)
  }

  /** Replaces everything the resolver knows. Returns how many records were left out for want of a valid name. */
  setRecords(records: DnsRecords): number {
    this.#table = new RecordTable(records)
    return this.#table.ignored
  }

  /** Returns what to do with a query. Never throws, whatever the bytes. */
  handleQuery(bytes: Uint8Array, { transport = 'udp' }: QueryContext = {}): DnsOutcome {
    const query = decodeQuery(bytes)
    if (query === undefined) return { kind: 'drop' }
    const outcome = this.#resolve(query)
    if (outcome.kind === 'answer' && transport === 'udp') markTruncated(outcome.message, query)
    return outcome
  }

  /**
   * Returns the addresses of a name of the mesh, for a program that dials by name; `undefined` when the name is not
   * one of ours and the system's resolver should be asked.
   */
  lookUp(name: string): readonly IpAddress[] | undefined {
    const normal = normalizeName(name)
    const via = viaAddressOf(normal)
    return via === undefined ? this.#table.addressesOf(normal) : [via]
  }

  #resolve(query: Query): DnsOutcome {
    const { question } = query
    if (isResponse(query) || question === undefined) return answer(query, 'FORMERR')
    if (!isStandardQuery(query)) return answer(query, 'NOTIMP')
    if (question.class !== 'IN' && question.class !== 'ANY') return answer(query, 'REFUSED')
    const name = normalizeName(question.name)
    if (question.type === 'PTR') {
      const outcome = this.#resolvePointer(query, question, name)
      if (outcome !== undefined) return outcome
    }
    return this.#resolveName(query, question, name)
  }

  #resolvePointer(query: Query, question: Question, name: string): DnsOutcome | undefined {
    if (BONJOUR.test(name)) return answer(query, 'NXDOMAIN')
    const address = addressOfReverseName(name)
    if (address === undefined) return undefined
    const inside = fourToSixOf(address)
    const found = (inside && this.#table.nameOf(inside)) ?? this.#table.nameOf(address)
    if (found === undefined) return undefined
    const record: Record = { name: question.name, type: 'PTR', ttl: ANSWER_TTL, data: found }
    return answer(query, 'NOERROR', { answers: [record] })
  }

  #resolveName(query: Query, question: Question, name: string): DnsOutcome {
    if (isWithin(name, 'onion')) return answer(query, 'NXDOMAIN')
    if (name === SERVICE_NAME)
      return this.#found(query, question, name, [SERVICE_ADDRESS, SERVICE_ADDRESS_V6])
    const via = isAddressType(question.type) ? viaAddressOf(name) : undefined
    if (via !== undefined) return this.#found(query, question, name, [via])
    const addresses = this.#table.addressesOf(name)
    if (addresses !== undefined) return this.#found(query, question, name, addresses)
    const zone = this.#table.authorityOf(name)
    if (zone !== undefined) return answer(query, 'NXDOMAIN', { authority: [startOf(zone)] })
    const route = this.#table.routeOf(name)
    return route === undefined ? answer(query, 'SERVFAIL') : { kind: 'forward', resolvers: route.resolvers }
  }

  /** One record, the first of the family asked for; the caller asks again if it wants the other. */
  #found(query: Query, question: Question, name: string, addresses: readonly IpAddress[]): DnsOutcome {
    if (NOT_IMPLEMENTED.has(question.type)) return answer(query, 'NOTIMP')
    const length = LENGTH_OF_TYPE[question.type]
    const address = question.type === 'ANY' ? addresses[0] : addresses.find((each) => each.length === length)
    if (address !== undefined) {
      const type = address.length === 4 ? 'A' : 'AAAA'
      const record: Record = { name: question.name, type, ttl: ANSWER_TTL, data: formatAddress(address) }
      return answer(query, 'NOERROR', { answers: [record] })
    }
    const zone = isAddressType(question.type) ? this.#table.authorityOf(name) : undefined
    return answer(query, 'NOERROR', zone === undefined ? {} : { authority: [startOf(zone)] })
  }
}

/** Returns what to say to a query that no resolver had an answer to; `undefined` when it is none that can be answered. */
export function serverFailure(bytes: Uint8Array): Uint8Array | undefined {
  const query = decodeQuery(bytes)
  return query && encodeAnswer(query, 'SERVFAIL', { isAuthoritative: false })
}

/** Questions that Bonjour asks of every network: answered at once, so that they do not travel. */
const BONJOUR = /^(?:b|db|r|dr|lb)\._dns-sd\._udp\./
const NOT_IMPLEMENTED: ReadonlySet<string> = new Set(['NS', 'SOA', 'AXFR', 'HINFO'])
const LENGTH_OF_TYPE: Readonly<{ [type: string]: number | undefined }> = { A: 4, AAAA: 16 }

function isAddressType(type: string): boolean {
  return type === 'A' || type === 'AAAA' || type === 'ANY'
}

function answer(query: Query, code: ResponseCode, sections: Sections = {}): DnsOutcome {
  return { kind: 'answer', message: encodeAnswer(query, code, sections) }
}

/** The record that tells a client how long it may remember that there is nothing (RFC 2308). */
function startOf(zone: string): Record {
  const data = {
    mname: SERVICE_NAME,
    rname: `hostmaster.${SERVICE_NAME}`,
    serial: 1,
    refresh: 900,
    retry: 300,
    expire: 3600,
    minimum: NEGATIVE_TTL,
  }
  return { name: zone === '' ? '.' : zone, type: 'SOA', ttl: NEGATIVE_TTL, data }
}
