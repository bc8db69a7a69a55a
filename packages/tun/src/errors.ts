// The one error class of the package. Opening and setting up can fail, and an open device can be lost; the packet
// path drops and counts.

/**
 * Why a device could not be opened or set up, or is gone:
 * - `ERR_TUN_UNSUPPORTED`: not Linux, or a runtime without `node:ffi`;
 * - `ERR_TUN_NO_DEVICE`: `/dev/net/tun` does not exist;
 * - `ERR_TUN_NO_RIGHTS`: neither root nor CAP_NET_ADMIN;
 * - `ERR_TUN_BUSY`: another process holds an interface of that name;
 * - `ERR_TUN_CONFIGURE`: `ip` is missing or refused an address, a route or the MTU;
 * - `ERR_TUN_LOST`: the interface was deleted, or reading it failed, while it was open;
 * - `ERR_TUN_SYSTEM`: any other answer of the kernel; the message carries its error number.
 */
export type TunErrorCode =
  | 'ERR_TUN_UNSUPPORTED'
  | 'ERR_TUN_NO_DEVICE'
  | 'ERR_TUN_NO_RIGHTS'
  | 'ERR_TUN_BUSY'
  | 'ERR_TUN_CONFIGURE'
  | 'ERR_TUN_LOST'
  | 'ERR_TUN_SYSTEM'

/** Thrown when a device cannot be opened or set up, and what an open one is lost with. Compare `code`. */
export class TunError extends Error {
  override readonly name = 'TunError'
  /** What went wrong, from a closed set. */
  readonly code: TunErrorCode

  constructor(code: TunErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
