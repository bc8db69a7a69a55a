// Who owns a node, as control tells it.

import { filled, id, int, type JsonDecoder, list, object, optional, required, text } from './schema.ts'

/** A user as others see them (control protocol §4.5). */
export interface UserProfile {
  /** The user's number. */
  readonly ID: number
  /** The login name, like a mail address; what `whois` shows. */
  readonly LoginName: string
  /** The name for display. */
  readonly DisplayName: string
  /** Where a picture is. */
  readonly ProfilePicURL?: string
  /** The groups the user is in, where control tells. */
  readonly Groups?: readonly string[]
}

/** The user in a register response. */
export interface User {
  /** The user's number. */
  readonly ID: number
  /** The name for display. */
  readonly DisplayName: string
  /** Where a picture is. */
  readonly ProfilePicURL?: string
  /** When the user was made, RFC 3339. */
  readonly Created?: string
}

/** The login in a register response: how the user proved who they are. */
export interface Login {
  /** The login's number. */
  readonly ID: number
  /** Who vouched: a provider's name. */
  readonly Provider: string
  /** The login name, like a mail address. */
  readonly LoginName: string
  /** The name for display. */
  readonly DisplayName: string
  /** Where a picture is. */
  readonly ProfilePicURL?: string
}

/** Reads a user profile. */
export const decodeUserProfile: JsonDecoder<UserProfile> = object<UserProfile>({
  ID: required(id),
  LoginName: filled(text, ''),
  DisplayName: filled(text, ''),
  ProfilePicURL: optional(text),
  Groups: optional(list(text)),
})

/** Reads a user; number 0 stands for "none". */
export const decodeUser: JsonDecoder<User> = object<User>({
  ID: filled(int, 0),
  DisplayName: filled(text, ''),
  ProfilePicURL: optional(text),
  Created: optional(text),
})

/** Reads a login; number 0 stands for "none". */
export const decodeLogin: JsonDecoder<Login> = object<Login>({
  ID: filled(int, 0),
  Provider: filled(text, ''),
  LoginName: filled(text, ''),
  DisplayName: filled(text, ''),
  ProfilePicURL: optional(text),
})
