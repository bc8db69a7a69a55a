// A zone of nothing but TXT records, for those who must show that a domain is theirs: an ACME authority asks for
// `_acme-challenge` below it (RFC 8555 section 8.4). It is asked by strangers, so it says no more than it must: a name
// without a record is there but empty, whether or not there is such a machine, and no answer is much longer than its query.
import {
  decodeQuery,
  encodeAnswer,
  fitForUdp,
  isResponse,
  isStandardQuery,
  type Query,
  type QueryContext,
  type Record,
} from './message.ts'
import { isWithin, normalizeName } from './names.ts'

/** How long an answer may be kept, in seconds: a challenge that was just published must not be hidden by a "nothing". */
export const TXT_TTL = 1
/** How long the zone's own records may be kept, in seconds. */
export const ZONE_TTL = 3600
/** The most records of one answer. */
const MAX_RECORDS = 16

/** What a zone is made from. */
export interface TxtZoneOptions {
  /** The domain, without a dot at its end. */
  readonly origin: string
  /** The names of the servers that answer for it; the first is the primary. */
  readonly nameservers: readonly [string, ...string[]]
  /** Returns the texts at a name, which is in lower case and without a dot at its end; each at most 255 bytes. */
  readonly texts: (name: string) => readonly string[]
}

/** Answers for one domain, with authority. */
export class TxtZone {
  readonly #options: TxtZoneOptions
  readonly #origin: string

  constructor(options: TxtZoneOptions) {
    this.#options = options
    this.#origin = normalizeName(options.origin)
  }

  /** Returns the answer to a query, or `undefined` when it is no query. Never throws, whatever the bytes. */
  handleQuery(bytes: Uint8Array, { transport = 'udp' }: QueryContext = {}): Uint8Array | undefined {
    const query = decodeQuery(bytes)
    if (query === undefined || isResponse(query)) return undefined
    const answer = this.#answer(query)
    return transport === 'udp' ? fitForUdp(answer, query) : answer
  }

  #answer(query: Query): Uint8Array {
    const { question } = query
    const alone = { offersRecursion: false }
    if (question === undefined) return encodeAnswer(query, 'FORMERR', alone)
    if (!isStandardQuery(query)) return encodeAnswer(query, 'NOTIMP', alone)
    const name = normalizeName(question.name)
    if (question.class !== 'IN' || !isWithin(name, this.#origin) || /^[AI]XFR$/.test(question.type))
      return encodeAnswer(query, 'REFUSED', { ...alone, isAuthoritative: false })
    const answers = this.#records(question.name, name, question.type)
    const authority = answers.length === 0 ? [this.#startOfAuthority(TXT_TTL)] : []
    return encodeAnswer(query, 'NOERROR', { ...alone, answers, authority })
  }

  #records(asked: string, name: string, type: string): readonly Record[] {
    if (type === 'TXT') {
      const texts = this.#options.texts(name).slice(0, MAX_RECORDS)
      return texts.map((data) => ({ name: asked, type: 'TXT', ttl: TXT_TTL, data }))
    }
    if (name !== this.#origin) return []
    if (type === 'SOA') return [this.#startOfAuthority(ZONE_TTL)]
    if (type !== 'NS') return []
    return this.#options.nameservers.map((data) => ({ name: asked, type: 'NS', ttl: ZONE_TTL, data }))
  }

  #startOfAuthority(ttl: number): Record {
    const [mname] = this.#options.nameservers
    const times = { serial: 1, refresh: ZONE_TTL, retry: 600, expire: 86_400, minimum: TXT_TTL }
    const data = { mname, rname: `hostmaster.${this.#origin}`, ...times }
    return { name: this.#origin, type: 'SOA', ttl, data }
  }
}
