// The nine messages of disco (data-plane section 4.2), as they are once the envelope is open, and two of our own by
// which a node behind a hard NAT is found. Other implementations ignore types they do not know.
import type { IpAddress } from '../ip/address.ts'
import type { Endpoint } from '../ip/endpoint.ts'

/** "Are you there?" May travel any path, also through a relay. */
export interface Ping {
  readonly kind: 'ping'
  /** Random, 12 bytes: the pong bears the same. */
  readonly txId: Uint8Array
  /** The node public key the sender claims, 32 bytes; very old senders name none. */
  readonly nodeKey?: Uint8Array
  /** How many zero bytes follow, to try a packet size; 0 when not given. */
  readonly padding?: number
}

/** "I am", to where the ping came from. */
export interface Pong {
  readonly kind: 'pong'
  /** The transaction id of the ping answered. */
  readonly txId: Uint8Array
  /** Where the ping came from, as seen by who answers. */
  readonly source: Endpoint
}

/** "Here is where I may be reached: ping me there." Only through a DERP relay. */
export interface CallMeMaybe {
  readonly kind: 'call-me-maybe'
  /** The sender's endpoints; empty when the message was not understood. */
  readonly endpoints: readonly Endpoint[]
}

/** The part that the three messages of the handshake with a UDP relay share. */
export interface RelayHandshake {
  /** Number of the allocation on the relay, 24 bits. */
  readonly vni: number
  /** Chosen by the client for each handshake, never 0. */
  readonly generation: number
  /** Disco key of the client at the other end, 32 bytes. */
  readonly remoteDisco: Uint8Array
  /** What proves that the client owns its address, 32 bytes; zero in a bind. */
  readonly challenge: Uint8Array
}

/** Client to UDP relay: "I want my end of this allocation." */
export interface RelayBind extends RelayHandshake {
  readonly kind: 'relay-bind'
}

/** UDP relay to client: "then show that you receive this." */
export interface RelayChallenge extends RelayHandshake {
  readonly kind: 'relay-challenge'
}

/** Client to UDP relay: the challenge brought back. */
export interface RelayAnswer extends RelayHandshake {
  readonly kind: 'relay-answer'
}

/** An allocation on a UDP relay, for two clients. */
export interface RelayEndpoint {
  /** Disco key of the relay, 32 bytes. */
  readonly serverDisco: Uint8Array
  /** Disco keys of the two clients, 32 bytes each, sorted. */
  readonly clientDisco: readonly [Uint8Array, Uint8Array]
  /** Orders allocations of one relay: greater is newer. */
  readonly lamportId: bigint
  /** Number of the allocation, 24 bits. */
  readonly vni: number
  /** How long the clients have to bind, in milliseconds. */
  readonly bindLifetime: number
  /** How long a silent allocation lives once bound, in milliseconds. */
  readonly steadyStateLifetime: number
  /** Where the relay listens; at least one. */
  readonly endpoints: readonly Endpoint[]
}

/** "Reach me through this UDP relay." Only through a DERP relay. */
export interface CallMeMaybeVia extends RelayEndpoint {
  readonly kind: 'call-me-maybe-via'
}

/** Client to UDP relay, through DERP: "make an allocation for these two." */
export interface AllocateRequest {
  readonly kind: 'allocate-request'
  /** Disco keys of the two clients, 32 bytes each, sorted. */
  readonly clientDisco: readonly [Uint8Array, Uint8Array]
  /** Chosen by the client; the response bears the same. */
  readonly generation: number
}

/** UDP relay to client, through DERP: the allocation. */
export interface AllocateResponse extends RelayEndpoint {
  readonly kind: 'allocate-response'
  /** The generation of the request answered. */
  readonly generation: number
}

/**
 * "My NAT gives each destination another port. I can open this many sockets toward you, if you then try ports of this
 * address." Only through a DERP relay.
 */
export interface DoorsOffer {
  readonly kind: 'doors-offer'
  /** How the sender looks from outside. */
  readonly address: IpAddress
  /** How many sockets it can open. */
  readonly doors: number
}

/** "Open them toward this endpoint of mine: I begin to try." Only through a DERP relay. */
export interface DoorsAccept {
  readonly kind: 'doors-accept'
  /** Where the sender will try from, as it looks from outside. */
  readonly endpoint: Endpoint
}

/** Any disco message. The fields of a decoded one view the plaintext. */
export type DiscoMessage =
  | Ping
  | Pong
  | CallMeMaybe
  | RelayBind
  | RelayChallenge
  | RelayAnswer
  | CallMeMaybeVia
  | AllocateRequest
  | AllocateResponse
  | DoorsOffer
  | DoorsAccept

/** Bytes of a disco transaction id. */
export const TX_ID_LENGTH = 12

/** The type byte of each message. */
export const DISCO_TYPES = {
  ping: 1,
  pong: 2,
  'call-me-maybe': 3,
  'relay-bind': 4,
  'relay-challenge': 5,
  'relay-answer': 6,
  'call-me-maybe-via': 7,
  'allocate-request': 8,
  'allocate-response': 9,
  'doors-offer': 0xf0,
  'doors-accept': 0xf1,
} as const satisfies Record<DiscoMessage['kind'], number>
