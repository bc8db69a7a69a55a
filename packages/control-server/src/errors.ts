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
  | 'ERR_CONTROL_ROUTE'
  | 'ERR_CONTROL_POLICY'
  | 'ERR_CONTROL_REGISTRATION_UNKNOWN'
  | 'ERR_CONTROL_ADDRESS'
  | 'ERR_CONTROL_ADDRESSES_EXHAUSTED'
  | 'ERR_CONTROL_STORE'
  | 'ERR_CONTROL_CONFLICT'
  | 'ERR_CONTROL_BACKUP'
  | 'ERR_CONTROL_CONFIG'

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
