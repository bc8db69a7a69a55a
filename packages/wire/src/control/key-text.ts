// Keys as control messages write them: a prefix that says the kind, then 64 hexadecimal digits.

import { type JsonDecoder, keyText } from './schema.ts'

/** A machine's public key in text form. */
export type MachineKeyText = `mkey:${string}`

/** A node's public key (the WireGuard key) in text form. */
export type NodeKeyText = `nodekey:${string}`

/** A node's disco public key in text form. */
export type DiscoKeyText = `discokey:${string}`

/** Reads a machine key's text; `undefined` unless it is the prefix and 64 hexadecimal digits. */
export const decodeMachineKeyText: JsonDecoder<MachineKeyText> = keyText('mkey:')

/** Reads a node key's text; `undefined` unless it is the prefix and 64 hexadecimal digits. */
export const decodeNodeKeyText: JsonDecoder<NodeKeyText> = keyText('nodekey:')

/** Reads a disco key's text; `undefined` unless it is the prefix and 64 hexadecimal digits. */
export const decodeDiscoKeyText: JsonDecoder<DiscoKeyText> = keyText('discokey:')

/** The node key that means "none". */
export const ZERO_NODE_KEY_TEXT: NodeKeyText = `nodekey:${'0'.repeat(64)}`

/** The disco key that means "none yet". */
export const ZERO_DISCO_KEY_TEXT: DiscoKeyText = `discokey:${'0'.repeat(64)}`

/** The machine key that means "none". */
export const ZERO_MACHINE_KEY_TEXT: MachineKeyText = `mkey:${'0'.repeat(64)}`
