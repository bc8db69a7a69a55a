// The one error class of the package: what a caller asked of the stack and cannot have. Bad packets are counted.

/**
 * What the stack refused:
 * - `ERR_NETSTACK_NOT_OWN_ADDRESS`: the address to bind is not one of this node's;
 * - `ERR_NETSTACK_NO_ADDRESS`: this node has no address of the family of the destination;
 * - `ERR_NETSTACK_IN_USE`: somebody is bound to that address and port, or no free port is left;
 * - `ERR_NETSTACK_CLOSED`: there is no such socket, or no longer.
 */
export type NetstackErrorCode =
  | 'ERR_NETSTACK_NOT_OWN_ADDRESS'
  | 'ERR_NETSTACK_NO_ADDRESS'
  | 'ERR_NETSTACK_IN_USE'
  | 'ERR_NETSTACK_CLOSED'

/** Thrown when the stack cannot do what its owner asked. Compare `code`. */
export class NetstackError extends Error {
  override readonly name = 'NetstackError'
  /** What was refused, from a closed set. */
  readonly code: NetstackErrorCode

  constructor(code: NetstackErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
