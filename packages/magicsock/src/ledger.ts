// What was tried with one peer and what was seen of it: each kind of thing at each place once, with how often and
// when, so that a long time fits into little memory and a path can be explained from it.
import { endpointKey, keepHop } from './endpoint-key.ts'
import type { Hop } from './hop.ts'

/** More different things than this are not remembered; those longest ago go. */
export const MAX_LEDGER_ENTRIES = 64

/** A kind of thing that happens between two peers. */
export type LedgerEvent =
  | 'ping-sent'
  | 'pong-heard'
  | 'ping-unanswered'
  | 'ping-heard'
  | 'call-sent'
  | 'call-heard'
  | 'path-adopted'
  | 'doors-opened'
  | 'ports-searched'

/** One kind of thing at one place. */
export interface LedgerEntry {
  /** What happened. */
  readonly event: LedgerEvent
  /** Where: an address of the peer's, a tunnel on a peer relay, or a relay region. */
  readonly place: Hop | number
  /** How often. */
  readonly times: number
  /** When first and when last, on the machine's clock. */
  readonly firstAt: number
  readonly lastAt: number
}

/** Remembers. */
export class Ledger {
  readonly #entries = new Map<string, LedgerEntry>()

  /** The entries, those that happened longest ago first. */
  get entries(): readonly LedgerEntry[] {
    return [...this.#entries.values()]
  }

  /** Notes that something happened. */
  note(event: LedgerEvent, place: Hop | number, now: number): void {
    const key = `${event} ${typeof place === 'number' ? place : endpointKey(place)}`
    const known = this.#entries.get(key)
    this.#entries.delete(key)
    if (known !== undefined) {
      this.#entries.set(key, { ...known, times: known.times + 1, lastAt: now })
      return
    }
    const kept = typeof place === 'number' ? place : keepHop(place)
    this.#entries.set(key, { event, place: kept, times: 1, firstAt: now, lastAt: now })
    if (this.#entries.size <= MAX_LEDGER_ENTRIES) return
    for (const oldest of this.#entries.keys()) return void this.#entries.delete(oldest)
  }

  /** Returns whether something has happened since a time, over UDP or through a relay. */
  has(event: LedgerEvent, way: 'udp' | 'relay', since: number): boolean {
    for (const entry of this.#entries.values()) {
      const isRelayed = typeof entry.place === 'number'
      if (entry.event === event && isRelayed === (way === 'relay') && entry.lastAt >= since) return true
    }
    return false
  }
}
