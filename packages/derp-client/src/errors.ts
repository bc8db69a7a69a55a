// What can go wrong with a relay connection, as one class with a closed list of codes.

/** Why a connection to a relay failed or ended. */
export type DerpErrorCode =
  /** The region has no node that may be dialled. */
  | 'ERR_DERP_NO_NODE'
  /** No node could be reached by TCP. */
  | 'ERR_DERP_UNREACHABLE'
  /** The HTTP proxy refused, could not be reached, or is named in a way that makes no sense. */
  | 'ERR_DERP_PROXY'
  /** The TLS handshake failed for another reason than the certificate; often the other side speaks no TLS. */
  | 'ERR_DERP_TLS'
  /** The certificate is not one that the map allows. */
  | 'ERR_DERP_CERTIFICATE'
  /** The server answered the upgrade with something other than 101. */
  | 'ERR_DERP_REFUSED'
  /** Dialling or logging in took longer than {@link CONNECT_TIMEOUT}. */
  | 'ERR_DERP_CONNECT_TIMEOUT'
  /** The first frame was not a server key with the DERP magic. */
  | 'ERR_DERP_BAD_MAGIC'
  /** The server's ServerInfo did not open with its announced key. */
  | 'ERR_DERP_BAD_SERVER_INFO'
  /** The server claimed a frame longer than the protocol allows. */
  | 'ERR_DERP_FRAME_TOO_LARGE'
  /** No frame came for {@link LIVENESS_TIMEOUT}, or a ping stayed unanswered. */
  | 'ERR_DERP_SILENT'
  /** The stream ended, by the other side or by an error below. */
  | 'ERR_DERP_CLOSED'

/** A relay connection that failed or ended; compare {@link DerpError.code}. */
export class DerpError extends Error {
  /** Which of the closed list of reasons it was. */
  readonly code: DerpErrorCode

  /** Makes an error; `options.cause` keeps what caused it. */
  constructor(code: DerpErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'DerpError'
    this.code = code
  }
}
