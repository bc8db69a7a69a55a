// What happened, as lines for people: the last of them, so that a run of an hour can be told when it ends badly.
import { isDisco } from '@mesh/wire/disco'
import { formatEndpoint } from '@mesh/wire/ip'
import { isStun } from '@mesh/wire/stun'
import type { SimEvent } from './datagram.ts'

/** How a timeline is kept. */
export interface TimelineOptions {
  /** How many lines are kept, the last ones; 200 when not given. */
  readonly lines?: number
  /** Says in a word or two what a payload is; STUN, disco and others are told apart when not given. */
  readonly describe?: (bytes: Uint8Array) => string
}

type Entry = SimEvent | { readonly kind: 'note'; readonly at: number; readonly text: string }

/** A log of a simulated network: give its `record` to the network as `onEvent`. */
export class Timeline {
  /** Writes an event down. */
  readonly record: (event: SimEvent) => void
  readonly #limit: number
  readonly #describe: (bytes: Uint8Array) => string
  /** Lines not yet written: most are never read. */
  readonly #entries: Entry[] = []

  /** @param options - How much is kept and how payloads are named. */
  constructor(options: TimelineOptions = {}) {
    this.#limit = options.lines ?? 200
    this.#describe = options.describe ?? nameOf
    this.record = (event) => this.#keep(event)
  }

  /** Writes a line of one's own down. */
  note(at: number, text: string): void {
    this.#keep({ kind: 'note', at, text })
  }

  /** Returns the last lines, oldest first: milliseconds, what happened, and between whom. */
  toString(): string {
    return this.#entries
      .slice(-this.#limit)
      .map((entry) => this.#line(entry))
      .join('\n')
  }

  #keep(entry: Entry): void {
    this.#entries.push(entry)
    if (this.#entries.length >= 2 * this.#limit) this.#entries.splice(0, this.#limit)
  }

  #line(entry: Entry): string {
    const at = entry.at.toFixed(1).padStart(10)
    if (entry.kind === 'note') return `${at}  ${entry.text}`
    const { source, destination, bytes } = entry.datagram
    const what = entry.kind === 'dropped' ? `dropped (${entry.reason})` : entry.kind
    const way = `${formatEndpoint(source)} > ${formatEndpoint(destination)}`
    return `${at}  ${what.padEnd(20)} ${way}  ${this.#describe(bytes)}, ${bytes.length} bytes`
  }
}

function nameOf(bytes: Uint8Array): string {
  if (isStun(bytes)) return 'STUN'
  return isDisco(bytes) ? 'disco' : 'data'
}
