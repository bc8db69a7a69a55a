// A dialogue with a gateway is a generator: it yields what it waits for and is resumed with what has happened. So each
// service reads from top to bottom like its RFC, and still owns no socket and no timer.
import type { RandomSource } from '@mesh/sansio'
import type { Endpoint } from '@mesh/wire/ip'
import type { GatewayRequest, GatewayResponse } from './http-request.ts'
import type { Gateway, PortMapping } from './mapping.ts'
import type { PcpResponse } from './pcp.ts'
import type { PmpResponse } from './nat-pmp.ts'
import type { UpnpDevice } from './ssdp.ts'

/** What a dialogue waits for: an answer by UDP until a time, or the end of a fetch. */
export type Wanted =
  | { readonly kind: 'answer'; readonly until: number }
  | { readonly kind: 'fetch'; readonly request: GatewayRequest }

/** What a dialogue is resumed with. */
export type Happening =
  | { readonly kind: 'nat-pmp'; readonly response: PmpResponse }
  | { readonly kind: 'pcp'; readonly response: PcpResponse }
  | { readonly kind: 'upnp'; readonly device: UpnpDevice }
  | { readonly kind: 'fetched'; readonly response: GatewayResponse | undefined }
  | { readonly kind: 'timeout' }

/** A dialogue that ends with a `T`. */
export type Dialogue<T> = Generator<Wanted, T, Happening>

/** What every dialogue knows and may do. */
export interface Setting {
  /** Whom it talks to. */
  readonly gateway: Gateway
  /** The port to be reached. */
  readonly port: number
  /** The mapping to renew, or the last that was lost: its outside port is asked for again. */
  readonly previous: PortMapping | undefined
  /** What ties a PCP mapping to us. */
  readonly nonce: Uint8Array
  readonly random: RandomSource
  /** Sends a datagram. */
  send(to: Endpoint, bytes: Uint8Array): void
  /** The time of what happened last. */
  now(): number
}

/** Waits for an answer that `accept` takes, until a time; returns what it made of it, or `undefined`. */
export function* answerUntil<T>(
  setting: Setting,
  until: number,
  accept: (happening: Happening) => T | undefined,
): Dialogue<T | undefined> {
  while (setting.now() < until) {
    const accepted = accept(yield { kind: 'answer', until })
    if (accepted !== undefined) return accepted
  }
  return undefined
}

/** Fetches; returns the answer, or `undefined` when there was none. */
export function* fetched(request: GatewayRequest): Dialogue<GatewayResponse | undefined> {
  const happening = yield { kind: 'fetch', request }
  return happening.kind === 'fetched' ? happening.response : undefined
}
