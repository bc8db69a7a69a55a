// `POST /machine/map`, the asking side: follow the map, or tell control something (control protocol §3.2).

import { decodeHostinfo, type Hostinfo } from './hostinfo.ts'
import { type DiscoKeyText, decodeDiscoKeyText, decodeNodeKeyText, type NodeKeyText } from './key-text.ts'
import { bool, filled, int, type JsonDecoder, list, object, optional, required, text } from './schema.ts'

/** Where an endpoint is known from, by the number `EndpointTypes` carries. */
export const ENDPOINT_TYPE = {
  unknown: 0,
  local: 1,
  stun: 2,
  portmapped: 3,
  stun4LocalPort: 4,
  explicitConfig: 5,
} as const

/** A map request. With `Stream` it follows the map; with `OmitPeers` and no `Stream` it only tells. */
export interface MapRequest {
  /** The capability version. */
  readonly Version: number
  /** `zstd`, or empty for plain JSON. */
  readonly Compress: string
  /** Whether keep-alives are wanted. */
  readonly KeepAlive: boolean
  /** Which node asks. */
  readonly NodeKey: NodeKeyText
  /** The node's disco key. */
  readonly DiscoKey?: DiscoKeyText
  /** Whether the answer stays open. */
  readonly Stream?: boolean
  /** The machine under the node. */
  readonly Hostinfo?: Hostinfo
  /** Where the node may be reached over UDP. */
  readonly Endpoints?: readonly string[]
  /** Where each endpoint is known from: {@link ENDPOINT_TYPE}. */
  readonly EndpointTypes?: readonly number[]
  /** The tailnet lock's head. */
  readonly TKAHead?: string
  /** Whether nothing is to be changed; old. */
  readonly ReadOnly?: boolean
  /** Whether the answer needs no peers. */
  readonly OmitPeers?: boolean
  /** Warnings to show. */
  readonly DebugFlags?: readonly string[]
  /** A session to go on with; nobody uses it yet. */
  readonly MapSessionHandle?: string
  /** Where in that session; nobody uses it yet. */
  readonly MapSessionSeq?: number
}

/** Reads a map request; refused without `Version` and `NodeKey`. */
export const decodeMapRequest: JsonDecoder<MapRequest> = object<MapRequest>({
  Version: required(int),
  Compress: filled(text, ''),
  KeepAlive: filled(bool, false),
  NodeKey: required(decodeNodeKeyText),
  DiscoKey: optional(decodeDiscoKeyText),
  Stream: optional(bool),
  Hostinfo: optional(decodeHostinfo),
  Endpoints: optional(list(text)),
  EndpointTypes: optional(list(int)),
  TKAHead: optional(text),
  ReadOnly: optional(bool),
  OmitPeers: optional(bool),
  DebugFlags: optional(list(text)),
  MapSessionHandle: optional(text),
  MapSessionSeq: optional(int),
})
