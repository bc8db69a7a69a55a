// How many handshake messages a host may have worked on: a bucket of tokens each, for as many hosts as are remembered.
import { TokenBucket } from '@mesh/sansio'

/** Handshake messages a second from one host, and how many at once. */
const RATE = 20
const BURST = 5
/** Hosts remembered at a time; the oldest are forgotten, which costs an attacker as many addresses. */
const MAX_HOSTS = 4_096

/** Bytes in the parts of a name: maybe the number of a tunnel, which anybody may make up; a port, an address behind it. */
const TUNNEL = 4
const PORT = 2
const ADDRESS_V4 = 4
const ADDRESS_V6 = 16
const NETWORK_V6 = 8

/** Limits each host by itself. */
export class HostLimits {
  readonly #buckets = new Map<string, TokenBucket>()

  /**
   * Takes one token of the host that a source belongs to; `false` when it has none left.
   *
   * @param source - Two bytes of port and an address, maybe behind four of a tunnel's number, or a name of another length.
   */
  take(source: Uint8Array, now: number): boolean {
    const name = String.fromCharCode(...hostOf(source))
    const bucket = this.#buckets.get(name) ?? new TokenBucket(BURST, 1_000 / RATE, now)
    this.#buckets.delete(name) // and in again at the end: the map keeps the latest last
    this.#buckets.set(name, bucket)
    if (this.#buckets.size > MAX_HOSTS) this.#forgetOldest()
    return bucket.take(now)
  }

  #forgetOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name)
      return
    }
  }
}

/** What tells hosts apart: an IPv4 address, or the half of an IPv6 address that a network gives out; of other names all. */
function hostOf(source: Uint8Array): Uint8Array {
  switch (source.length) {
    case PORT + ADDRESS_V4:
    case TUNNEL + PORT + ADDRESS_V4:
      return source.subarray(-ADDRESS_V4)
    case PORT + ADDRESS_V6:
    case TUNNEL + PORT + ADDRESS_V6:
      return source.subarray(-ADDRESS_V6, NETWORK_V6 - ADDRESS_V6)
    default:
      return source
  }
}
