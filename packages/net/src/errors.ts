// What can go wrong with a whole node; every message is one sentence fit for a person.

/** Why a node could not start or go on. */
export type NetErrorCode =
  | 'ERR_STATE_UNREADABLE'
  | 'ERR_STATE_UNWRITABLE'
  | 'ERR_CONTROL_UNREACHABLE'
  | 'ERR_LOGIN_REFUSED'
  | 'ERR_LOGIN_NEEDED'
  | 'ERR_PORT_IN_USE'
  | 'ERR_DATA_PLANE'
  | 'ERR_NODE_FAILED'
  | 'ERR_CLOSED'
  | 'ERR_NO_PEER'
  | 'ERR_NO_ANSWER'
  | 'ERR_REFUSED'

/** A node that cannot start or go on. Compare {@link NetError.code}. */
export class NetError extends Error {
  /** Which of the known reasons it is. */
  readonly code: NetErrorCode

  /** Makes an error of a known reason; `message` is one sentence for a person. */
  constructor(code: NetErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NetError'
    this.code = code
  }
}
