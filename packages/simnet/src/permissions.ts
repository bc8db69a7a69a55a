// Who may come in: those that were sent to, for a time, told apart as precisely as the filtering is.
import type { Endpoint } from '@mesh/wire/ip'
import type { NatBehaviour } from './behaviour.ts'
import { addressKey, endpointKey, type Key } from './keys.ts'

/** The permissions of one mapping, or of one untranslated endpoint inside. */
export class Permissions {
  readonly #filtering: NatBehaviour
  readonly #until = new Map<Key, number>()

  constructor(filtering: NatBehaviour) {
    this.#filtering = filtering
  }

  /** Permits an endpoint outside, and with it all that the filtering does not tell apart from it. */
  permit(other: Endpoint, until: number): void {
    this.#until.set(distinction(this.#filtering, other), until)
  }

  /** Tells whether an endpoint outside may come in. */
  allows(other: Endpoint, now: number): boolean {
    const until = this.#until.get(distinction(this.#filtering, other))
    return until !== undefined && now < until
  }
}

/** Returns what of the other side's endpoint counts, for one behaviour. */
export function distinction(behaviour: NatBehaviour, other: Endpoint): Key {
  if (behaviour === 'endpoint-independent') return 0
  return behaviour === 'address-dependent' ? addressKey(other.address) : endpointKey(other)
}
