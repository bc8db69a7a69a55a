// A DNS that is only in memory: the fake of the seat, and what tests look into.

import type { DnsProvider, TxtRecord } from './certificates.ts'

/** Keeps texts by name. */
export class MemoryDns implements DnsProvider {
  readonly #texts = new Map<string, Set<string>>()

  publish({ name, value }: TxtRecord): Promise<void> {
    const texts = this.#texts.get(name) ?? new Set()
    this.#texts.set(name, texts.add(value))
    return Promise.resolve()
  }

  withdraw({ name, value }: TxtRecord): Promise<void> {
    this.#texts.get(name)?.delete(value)
    return Promise.resolve()
  }

  /** Returns the texts at a name. */
  textsAt(name: string): readonly string[] {
    return [...(this.#texts.get(name) ?? [])]
  }
}
