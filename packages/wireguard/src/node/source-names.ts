// Who sent what, by the socket addresses that the kernel writes beside it. Peers take turns, so more than the last address is
// remembered as it stands there: to take one apart makes objects.
import type { Endpoint } from '@mesh/wire/ip'
import { EndpointNumbers } from './endpoint-numbers.ts'
import { decodeSocketAddress, MAX_SOCKET_ADDRESS } from './socket-address.ts'

/** Addresses remembered, each in the one place that its bytes say. */
const PLACES = 512
const ROOM = 32

/** {@link EndpointNumbers} with a memory for bytes. */
export class SourceNames {
  readonly #endpoints = new EndpointNumbers()
  readonly #names = new Uint8Array(PLACES * ROOM)
  readonly #numbers = new Int32Array(PLACES).fill(-1)

  /** Returns the number of the socket address of `length` bytes at `at`; -1 when it is none. */
  numberAt(bytes: Uint8Array, at: number, length: number): number {
    if (length > MAX_SOCKET_ADDRESS) return -1
    const place = placeOf(bytes, at, length)
    const number = this.#numbers[place] ?? -1
    if (this.#stands(place, bytes, at, length) && this.endpointOf(number) !== undefined) return number
    const endpoint = decodeSocketAddress(bytes.subarray(at, at + length), length)
    if (endpoint === undefined) return -1
    this.#names.fill(0, place * ROOM, (place + 1) * ROOM)
    this.#names.set(bytes.subarray(at, at + length), place * ROOM)
    return (this.#numbers[place] = this.#endpoints.numberOf(endpoint))
  }

  /** Returns the number of an endpoint (kept). */
  numberOf(endpoint: Endpoint): number {
    return this.#endpoints.numberOf(endpoint)
  }

  /** Returns the endpoint that has this number, the same object each time; `undefined` for a number that is nobody's. */
  endpointOf(number: number): Endpoint | undefined {
    return this.#endpoints.endpointOf(number)
  }

  /** An address's family says how long it is, so one cannot be the beginning of another. */
  #stands(place: number, bytes: Uint8Array, at: number, length: number): boolean {
    const there = place * ROOM
    for (let i = 0; i < length; i += 1) if (this.#names[there + i] !== bytes[at + i]) return false
    return length > 0
  }
}

/** FNV-1a. */
function placeOf(bytes: Uint8Array, at: number, length: number): number {
  let hash = 0x811c_9dc5
  for (let i = 0; i < length; i += 1) hash = Math.imul(hash ^ (bytes[at + i] ?? 0), 0x0100_0193)
  return ((hash >>> 16) ^ hash) & (PLACES - 1)
}
