// `GET /key?v=<capability version>`: the one thing a node must know of control before Noise (control protocol §1.1).

import { decodeMachineKeyText, type MachineKeyText, ZERO_MACHINE_KEY_TEXT } from './key-text.ts'
import { filled, type JsonDecoder, object, required } from './schema.ts'

/** The answer to `/key`. */
export interface ServerKeys {
  /** The key of a protocol nobody speaks any more; zero is fine. */
  readonly legacyPublicKey: MachineKeyText
  /** The Noise key of the server. */
  readonly publicKey: MachineKeyText
}

/** The largest `/key` body a client reads, bytes. */
export const MAX_SERVER_KEYS_LENGTH = 64 << 10

/** Reads the answer to `/key`; refused without `publicKey`. */
export const decodeServerKeys: JsonDecoder<ServerKeys> = object<ServerKeys>({
  legacyPublicKey: filled(decodeMachineKeyText, ZERO_MACHINE_KEY_TEXT),
  publicKey: required(decodeMachineKeyText),
})
