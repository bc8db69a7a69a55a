// What the coordinator refuses an administrator, as one class with a closed set of codes.

/** Why an administrator's command was refused. */
export type ControlErrorCode =
  | 'ERR_CONTROL_USER_EXISTS'
  | 'ERR_CONTROL_USER_UNKNOWN'
  | 'ERR_CONTROL_USER_NAME'
  | 'ERR_CONTROL_USER_HAS_NODES'
  | 'ERR_CONTROL_KEY_UNKNOWN'
  | 'ERR_CONTROL_KEY_OPTIONS'
  | 'ERR_CONTROL_NODE_UNKNOWN'
  | 'ERR_CONTROL_NODE_NAME'
  | 'ERR_CONTROL_NODE_OFFLINE'
  | 'ERR_CONTROL_NODE_TAGS'
  | 'ERR_CONTROL_CALL'
  | 'ERR_CONTROL_CHALLENGE'
  | 'ERR_CONTROL_ATTRIBUTE'
  | 'ERR_CONTROL_ROUTE'
  | 'ERR_CONTROL_POLICY'
  | 'ERR_CONTROL_REGISTRATION_UNKNOWN'
  | 'ERR_CONTROL_ADDRESS'
  | 'ERR_CONTROL_ADDRESSES_EXHAUSTED'
  | 'ERR_CONTROL_STORE'
  | 'ERR_CONTROL_CONFLICT'
  | 'ERR_CONTROL_BACKUP'
  | 'ERR_CONTROL_CONFIG'

/** The most characters of what somebody wrote that a message shows. */
const MAX_SHOWN = 60

/** Returns what somebody wrote as a message may show it: plain words as they are, anything else quoted, cut and escaped. */
export function shown(text: string): string {
  if (/^[\w.@+:/-]{1,64}$/.test(text)) return text
  const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  return JSON.stringify(cut.toWellFormed()).replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (mark) => `\\u${(mark.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  )
}

/** Returns what somebody wrote as {@link shown} does, but always in quotes. */
export function quoted(text: string): string {
  const words = shown(text)
  return words.startsWith('"') ? words : `"${words}"`
}

/** A refusal of the coordinator. Compare `code`; the message is one sentence for a person. */
export class ControlError extends Error {
  /** The reason, from a closed set. */
  readonly code: ControlErrorCode

  constructor(code: ControlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControlError'
    this.code = code
  }
}

/** What a machine is told that asks for a node which is not there, or not its own. */
export const NODE_NOT_FOUND = 'node not found'
