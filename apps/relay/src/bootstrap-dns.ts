// Answers of DNS over HTTPS for clients whose own DNS does not work yet: an administrator names a few hosts, and their
// addresses are told to whoever asks (data-plane §2.12).
import { createHash } from 'node:crypto'
import { lookup, resolveTxt } from 'node:dns/promises'
import type { PageAnswer, PageRequest } from '@mesh/derp-server/node'

/** How old answers become: 10 min. */
const REFRESH_INTERVAL = 600_000

/** How names are looked up. */
export interface Lookup {
  /** Returns the addresses of a name. */
  addresses(name: string): Promise<string[]>
  /** Returns the texts of a name. */
  texts(name: string): Promise<string[]>
}

const SYSTEM: Lookup = {
  addresses: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
  texts: async (name) => (await resolveTxt(name)).map((parts) => parts.join('')),
}

interface Hidden {
  readonly addresses: readonly string[]
  /** Which part of the clients is told. */
  readonly percent: number
}

/** What is told at `/bootstrap-dns`. */
export class BootstrapDns {
  readonly #published: readonly string[]
  readonly #unpublished: readonly string[]
  readonly #lookup: Lookup
  readonly #say: (line: string) => void
  readonly #known = new Map<string, readonly string[]>()
  readonly #hidden = new Map<string, Hidden>()
  #timer: NodeJS.Timeout | undefined

  /**
   * @param published - Names told to everybody.
   * @param unpublished - Names told only to who asks for one; after a slash, the name of a TXT record that says to how many
   * percent of them.
   */
  constructor(
    published: readonly string[],
    unpublished: readonly string[],
    say: (line: string) => void,
    lookUp: Lookup = SYSTEM,
  ) {
    this.#published = published
    this.#unpublished = unpublished
    this.#say = say
    this.#lookup = lookUp
  }

  /** Looks everything up, and again every ten minutes. A name that cannot be looked up keeps its last addresses. */
  async start(): Promise<void> {
    if (this.#published.length + this.#unpublished.length === 0) return
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_INTERVAL)
    this.#timer.unref()
    await this.#refresh()
  }

  /** Stops looking up. */
  close(): void {
    clearInterval(this.#timer)
  }

  /** Answers a request: the one hidden name that it asks for, else all that are published. */
  answer({ url, source }: PageRequest): PageAnswer {
    const wanted = new URLSearchParams(url.split('?')[1]).get('q') ?? ''
    const hidden = this.#hidden.get(wanted)
    const told =
      hidden !== undefined && isAmong(source, hidden.percent)
        ? { [wanted]: hidden.addresses }
        : Object.fromEntries(this.#known)
    // Nobody asks twice: clients pick another relay each time.
    const headers = { 'Content-Type': 'application/json', Connection: 'close' }
    return { status: 200, headers, body: JSON.stringify(told) }
  }

  async #refresh(): Promise<void> {
    await Promise.all([
      ...this.#published.map(async (name) => {
        const addresses = await this.#addresses(name)
        if (addresses !== undefined) this.#known.set(name, addresses)
      }),
      ...this.#unpublished.map((entry) => this.#refreshHidden(entry)),
    ])
  }

  async #refreshHidden(entry: string): Promise<void> {
    const [name = '', record] = entry.split('/')
    const addresses = (await this.#addresses(name)) ?? this.#hidden.get(name)?.addresses
    if (addresses === undefined) return
    this.#hidden.set(name, { addresses, percent: record === undefined ? 100 : await this.#percent(record) })
  }

  async #addresses(name: string): Promise<string[] | undefined> {
    try {
      return shuffled(await this.#lookup.addresses(name))
    } catch (error) {
      this.#say(`${name} for /bootstrap-dns cannot be looked up: ${String(error)}`)
      return undefined
    }
  }

  // Nothing said, or nothing that makes sense, is nobody.
  async #percent(record: string): Promise<number> {
    try {
      const texts = await this.#lookup.texts(record)
      return Number(texts.find((text) => /^(\d\d?|100)$/.test(text)) ?? 0)
    } catch (error) {
      this.#say(`${record} for /bootstrap-dns cannot be looked up: ${String(error)}`)
      return 0
    }
  }
}

// So that clients do not all begin with the same address.
function shuffled(addresses: readonly string[]): string[] {
  return addresses
    .map((address) => ({ address, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ address }) => address)
}

// The same client is always told the same.
function isAmong(source: string, percent: number): boolean {
  return createHash('sha256').update(source).digest().readUInt32BE(0) % 100 < percent
}
