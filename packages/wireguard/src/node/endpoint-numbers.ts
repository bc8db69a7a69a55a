// Numbers for endpoints, for what passes on a source as a number: strangers choose how many endpoints there are, so only the
// latest are remembered.
import type { UnderlayEndpoint } from '../underlay-endpoint.ts'
import { FOREIGN_SOURCE } from './plane-messages.ts'
import { endpointKey } from './socket-address.ts'

/** Endpoints remembered at a time. */
const REMEMBERED = 4_096

interface Place {
  readonly number: number
  readonly key: string
  readonly endpoint: UnderlayEndpoint
}

/** Gives endpoints numbers from 0 to 2^30 - 1, each good until 4096 other endpoints have got one, and then nobody's. */
export class EndpointNumbers {
  readonly #places: (Place | undefined)[] = Array.from({ length: REMEMBERED }, () => undefined)
  readonly #byKey = new Map<string, Place>()
  #next = 0

  /** Returns the number of an endpoint (kept), the one it has or a new one. */
  numberOf(endpoint: UnderlayEndpoint): number {
    const key = endpointKey(endpoint)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known.number
    const number = this.#next
    this.#next = (number + 1) % FOREIGN_SOURCE // which is a multiple of REMEMBERED
    const oldest = this.#places[number % REMEMBERED]
    if (oldest !== undefined) this.#byKey.delete(oldest.key)
    const place = { number, key, endpoint }
    this.#places[number % REMEMBERED] = place
    this.#byKey.set(key, place)
    return number
  }

  /** Returns the endpoint that has this number, the same object each time; `undefined` for a number that is nobody's. */
  endpointOf(number: number): UnderlayEndpoint | undefined {
    const place = this.#places[number % REMEMBERED]
    return place?.number === number ? place.endpoint : undefined
  }
}
