// What can go wrong between a node and its control server, as one class with a closed list of codes.

/** Why control could not be reached, or would not have the node. */
export type ControlErrorCode =
  /** No address, no connection, or no answer in time. */
  | 'ERR_CONTROL_UNREACHABLE'
  /** The server's TLS certificate is not valid. */
  | 'ERR_CONTROL_CERTIFICATE'
  /** What answered is not a control server. */
  | 'ERR_CONTROL_NOT_CONTROL'
  /** The request arrived, but no upgrade came of it: something between may forward none. */
  | 'ERR_CONTROL_UPGRADE'
  /** The server has another key than the one it was known by. */
  | 'ERR_CONTROL_KEY_CHANGED'
  /** The server could not prove its key. */
  | 'ERR_CONTROL_HANDSHAKE'
  /** The server said something that cannot be understood. */
  | 'ERR_CONTROL_PROTOCOL'
  /** The server speaks to newer clients only. */
  | 'ERR_CONTROL_VERSION'
  /** The server refused the login, or what was asked; the message has its own sentence. */
  | 'ERR_CONTROL_REFUSED'
  /** The node's key has ended: somebody must log in again. */
  | 'ERR_CONTROL_KEY_EXPIRED'
  /** A new node key could not be kept, so control was not told of it. */
  | 'ERR_CONTROL_KEY_NOT_KEPT'
  /** The server no longer knows the node. */
  | 'ERR_CONTROL_UNKNOWN_NODE'
  /** Nothing came on the map stream for two minutes. */
  | 'ERR_CONTROL_SILENT'
  /** The connection ended. */
  | 'ERR_CONTROL_LOST'
  /** The owner closed the client. */
  | 'ERR_CONTROL_CLOSED'

/** Trouble between a node and its control server. Compare {@link ControlError.code}. */
export class ControlError extends Error {
  /** Which of the known reasons it is. */
  readonly code: ControlErrorCode

  /** Makes an error of a known reason; `message` is one sentence for a person. */
  constructor(code: ControlErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ControlError'
    this.code = code
  }
}

/** Codes that trying again cannot mend: a person must do something. */
const FINAL: ReadonlySet<ControlErrorCode> = new Set([
  'ERR_CONTROL_KEY_CHANGED',
  'ERR_CONTROL_VERSION',
  'ERR_CONTROL_REFUSED',
  'ERR_CONTROL_KEY_EXPIRED',
  'ERR_CONTROL_CLOSED',
])

/** Returns whether trying again by itself is pointless. */
export function isFinal(error: ControlError): boolean {
  return FINAL.has(error.code)
}
