// The login of a client: its ClientInfo, sealed from its node key to the relay's key, proves that it holds the
// key it claims; ServerInfo is the answer in the same box (data-plane §2.6).
import { BOX_NONCE_LENGTH, type BoxKey, openBox, precomputeBox, sealBox, type X25519 } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import {
  type ClientInfo,
  DERP_VERSION,
  decodeClientInfo,
  decodeSealedClientInfo,
  encodeSealedServerInfo,
  encodeServerInfo,
} from '@mesh/wire/derp'

/** A login that proved its key. */
export interface Login {
  /** The client's node key, 32 bytes, a copy. */
  readonly key: Uint8Array
  /** What the client said of itself. */
  readonly info: ClientInfo
  /** The box between the client and the relay. */
  readonly box: BoxKey
}

/** Opens a ClientInfo payload, or returns `undefined` when it proves nothing. */
export function openLogin(payload: Uint8Array, privateKey: Uint8Array, x25519?: X25519): Login | undefined {
  const sealed = decodeSealedClientInfo(payload)
  if (sealed === undefined) return undefined
  // Not slice(): of a Buffer that would be a view.
  const key = new Uint8Array(sealed.clientKey)
  // X25519 overlooks this bit (RFC 7748 section 5), so that who holds one key could prove two.
  if ((key[31]! & 0x80) !== 0) return undefined
  const box = precomputeBox(privateKey, key, x25519)
  const json = box && openBox(box, sealed.nonce, sealed.box)
  const info = json && decodeClientInfo(json)
  if (box === undefined || info === undefined) return undefined
  return { key, info, box }
}

/** Returns a ServerInfo frame for the client behind `box`. */
export function sealServerInfo(box: BoxKey, random: RandomSource): Uint8Array {
  const nonce = random(BOX_NONCE_LENGTH)
  return encodeSealedServerInfo({
    nonce,
    box: sealBox(box, nonce, encodeServerInfo({ version: DERP_VERSION })),
  })
}
