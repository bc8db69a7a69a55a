// Control asking "are you there?", and the answer (control protocol §3.9).

import { bool, filled, type JsonDecoder, object, optional, text } from './schema.ts'

/** A question from control. */
export interface PingRequest {
  /** Where the answer goes; a URL seen last is not answered twice. */
  readonly URL: string
  /** Whether the URL is reached over the Noise connection. */
  readonly URLIsNoise?: boolean
  /** Whether to note it in the log. */
  readonly Log?: boolean
  /** Empty for a bare `HEAD`, `c2n`, or a list of ping kinds by comma. */
  readonly Types?: string
  /** Whom to ping. */
  readonly IP?: string
  /** For `c2n`: an HTTP/1.1 request, base64. */
  readonly Payload?: string
}

/** What one ping of a peer found. */
export interface PingResponse {
  /** The kind of ping. */
  readonly Type: string
  /** Whom it went to. */
  readonly IP?: string
  /** The peer's address in the network. */
  readonly NodeIP?: string
  /** The peer's name. */
  readonly NodeName?: string
  /** What went wrong. */
  readonly Err?: string
  /** The round trip. */
  readonly LatencySeconds?: number
  /** The endpoint that answered. */
  readonly Endpoint?: string
  /** The relay region it went through. */
  readonly DERPRegionID?: number
  /** That region's code. */
  readonly DERPRegionCode?: string
  /** The peer API's port. */
  readonly PeerAPIPort?: number
  /** Whether the address is the node's own. */
  readonly IsLocalIP?: boolean
}

/** Reads a ping request. */
export const decodePingRequest: JsonDecoder<PingRequest> = object<PingRequest>({
  URL: filled(text, ''),
  URLIsNoise: optional(bool),
  Log: optional(bool),
  Types: optional(text),
  IP: optional(text),
  Payload: optional(text),
})
