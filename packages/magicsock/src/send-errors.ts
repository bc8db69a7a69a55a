// What a failed send tells: about the destination, or about the socket (data-plane.md section 5.4).

/** Sockets are reopened at most this often because sending fails (data-plane.md section 5.1). */
export const ERROR_REBIND_THROTTLE = 5_000

const UNREACHABLE = ['EHOSTUNREACH', 'ENETUNREACH']
const BROKEN = ['EPERM', 'EPIPE', 'EBADF', 'ENOTCONN']

/** Tells whether there is no way to that address from here. */
export function meansUnreachable(code: string): boolean {
  return UNREACHABLE.includes(code)
}

/** Tells whether the socket is no good any more. */
export function meansBrokenSocket(code: string): boolean {
  return BROKEN.includes(code)
}
