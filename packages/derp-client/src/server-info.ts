// ServerInfo: the server's yes to a login (data-plane §2.6).
import { type BoxKey, openBox } from '@mesh/keys'
import { decodeSealedServerInfo, decodeServerInfo, type ServerInfo } from '@mesh/wire/derp'

/** Opens a ServerInfo payload, or returns `undefined` when it is not from the holder of the server's key. */
export function openServerInfo(payload: Uint8Array, box: BoxKey): ServerInfo | undefined {
  const sealed = decodeSealedServerInfo(payload)
  const json = sealed && openBox(box, sealed.nonce, sealed.box)
  return json && decodeServerInfo(json)
}
