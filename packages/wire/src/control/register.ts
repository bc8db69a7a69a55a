// `POST /machine/register`: logging in, waiting for somebody to approve, and logging out (control protocol §3.1).

import { decodeHostinfo, type Hostinfo } from './hostinfo.ts'
import { decodeNodeKeyText, type NodeKeyText, ZERO_NODE_KEY_TEXT } from './key-text.ts'
import { ZERO_TIME } from './json.ts'
import { bool, filled, int, type JsonDecoder, nullable, object, optional, required, text } from './schema.ts'
import { decodeLogin, decodeUser, type Login, type User } from './user.ts'

/** How a register request proves itself. */
export interface RegisterAuth {
  /** The auth key; a secret. */
  readonly AuthKey?: string
}

/** A wish to be, to stay or to cease being a node. */
export interface RegisterRequest {
  /** The capability version. */
  readonly Version: number
  /** The key the node wants to use. */
  readonly NodeKey: NodeKeyText
  /** The key before it, or the zero key. */
  readonly OldNodeKey: NodeKeyText
  /** The tailnet lock key, `nlpub:…`. */
  readonly NLKey?: string
  /** The auth key, if there is one. */
  readonly Auth?: RegisterAuth
  /** The wished end of the key: zero for no wish, the past for logging out. */
  readonly Expiry: string
  /** The `AuthURL` the node is waiting on, or empty. */
  readonly Followup: string
  /** The machine under the node. */
  readonly Hostinfo?: Hostinfo
  /** Whether the node is to be forgotten once it goes away. */
  readonly Ephemeral?: boolean
  /** The tailnet lock's signature of the key, base64. */
  readonly NodeKeySignature: string | null
  /** The tailnet the node wants to be in. */
  readonly Tailnet?: string
}

/** What control answers. */
export interface RegisterResponse {
  /** Who owns the node. */
  readonly User: User
  /** How they logged in. */
  readonly Login: Login
  /** Whether the offered key has ended: make another and ask again. */
  readonly NodeKeyExpired: boolean
  /** Whether an admin let the node in. */
  readonly MachineAuthorized: boolean
  /** Where a person must go to approve; empty when it is done. */
  readonly AuthURL: string
  /** A signature to renew, base64. */
  readonly NodeKeySignature: string | null
  /** Why not, for people to read; empty when nothing is wrong. */
  readonly Error: string
}

/** The `Expiry` that asks to log out: 123 seconds after 1970. */
export const LOGOUT_EXPIRY = '1970-01-01T00:02:03Z'

/** The largest register or map request body a server reads, bytes. */
export const MAX_REQUEST_LENGTH = 1 << 20

const NOBODY: User = { ID: 0, DisplayName: '' }
const NO_LOGIN: Login = { ID: 0, Provider: '', LoginName: '', DisplayName: '' }

/** Reads a register request; refused without `Version` and `NodeKey`. */
export const decodeRegisterRequest: JsonDecoder<RegisterRequest> = object<RegisterRequest>({
  Version: required(int),
  NodeKey: required(decodeNodeKeyText),
  OldNodeKey: filled(decodeNodeKeyText, ZERO_NODE_KEY_TEXT),
  NLKey: optional(text),
  Auth: optional(object<RegisterAuth>({ AuthKey: optional(text) })),
  Expiry: filled(text, ZERO_TIME),
  Followup: filled(text, ''),
  Hostinfo: optional(decodeHostinfo),
  Ephemeral: optional(bool),
  NodeKeySignature: filled<string | null>(nullable(text), null),
  Tailnet: optional(text),
})

/** Reads a register response; every field may be missing. */
export const decodeRegisterResponse: JsonDecoder<RegisterResponse> = object<RegisterResponse>({
  User: filled(decodeUser, NOBODY),
  Login: filled(decodeLogin, NO_LOGIN),
  NodeKeyExpired: filled(bool, false),
  MachineAuthorized: filled(bool, false),
  AuthURL: filled(text, ''),
  NodeKeySignature: filled<string | null>(nullable(text), null),
  Error: filled(text, ''),
})
