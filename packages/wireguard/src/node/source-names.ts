// Who sent what, by the socket addresses that the kernel writes beside it. Peers take turns, so more than the last address is
// remembered as it stands there, with the address of ours that it spoke to: to take one apart makes objects.
import type { UnderlayEndpoint } from '../underlay-endpoint.ts'
import { EndpointNumbers } from './endpoint-numbers.ts'
import { decodeSocketAddress, MAX_SOCKET_ADDRESS } from './socket-address.ts'

/** Addresses remembered, each in the one place that its bytes say. */
const PLACES = 512
const FNV_BASIS = 0x811c_9dc5
/** Their socket address, our address and how long that is. */
const ROOM = 64
const LOCAL = MAX_SOCKET_ADDRESS
const LOCAL_LENGTH = LOCAL + 16

/** {@link EndpointNumbers} with a memory for bytes. */
export class SourceNames {
  readonly #endpoints = new EndpointNumbers()
  readonly #names = new Uint8Array(PLACES * ROOM)
  readonly #numbers = new Int32Array(PLACES).fill(-1)

  /**
   * Returns the number of the socket address of `length` bytes at `at`; -1 when it is none.
   *
   * @param localAt - Where the address of ours lies that it spoke to, of `localLength` bytes: 4, 16, or 0 when that is unknown.
   */
  numberAt(bytes: Uint8Array, at: number, length: number, localAt = 0, localLength = 0): number {
    if (length > MAX_SOCKET_ADDRESS) return -1
    const hash = hashOf(bytes, localAt, localLength, hashOf(bytes, at, length, FNV_BASIS))
    const place = ((hash >>> 16) ^ hash) & (PLACES - 1)
    const there = place * ROOM
    const number = this.#numbers[place] ?? -1
    const stands =
      this.#names[there + LOCAL_LENGTH] === localLength &&
      this.#stands(there, bytes, at, length) &&
      this.#stands(there + LOCAL, bytes, localAt, localLength)
    if (length > 0 && stands && this.endpointOf(number) !== undefined) return number
    const endpoint = decodeSocketAddress(bytes.subarray(at, at + length), length)
    if (endpoint === undefined) return -1
    const local = bytes.slice(localAt, localAt + localLength)
    this.#names.fill(0, there, there + ROOM)
    this.#names.set(bytes.subarray(at, at + length), there)
    this.#names.set(local, there + LOCAL)
    this.#names[there + LOCAL_LENGTH] = localLength
    return (this.#numbers[place] = this.#endpoints.numberOf(
      localLength === 0 ? endpoint : { ...endpoint, local },
    ))
  }

  /** Returns the number of an endpoint (kept). */
  numberOf(endpoint: UnderlayEndpoint): number {
    return this.#endpoints.numberOf(endpoint)
  }

  /** Returns the endpoint that has this number, the same object each time; `undefined` for a number that is nobody's. */
  endpointOf(number: number): UnderlayEndpoint | undefined {
    return this.#endpoints.endpointOf(number)
  }

  /** An address's family says how long it is, so one cannot be the beginning of another. */
  #stands(there: number, bytes: Uint8Array, at: number, length: number): boolean {
    for (let i = 0; i < length; i += 1) if (this.#names[there + i] !== bytes[at + i]) return false
    return true
  }
}

/** FNV-1a, on from a hash. */
function hashOf(bytes: Uint8Array, at: number, length: number, begun: number): number {
  let hash = begun
  for (let i = 0; i < length; i += 1) hash = Math.imul(hash ^ (bytes[at + i] ?? 0), 0x0100_0193)
  return hash
}
