// From the codes of Node's sockets and TLS to the codes and sentences of this package.
import { ControlError } from '../errors.ts'

const SENTENCES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network',
  EPROTO: 'it speaks no TLS, which https:// asks for',
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL/

/** Returns the trouble that a failed socket means, as one sentence about the server at `url`. */
export function networkError(error: unknown, url: string): ControlError {
  if (error instanceof ControlError) return error
  const code = codeOf(error)
  if (CERTIFICATE.test(code)) {
    const message = `the certificate of the control server at ${url} is not valid (${code})`
    return new ControlError('ERR_CONTROL_CERTIFICATE', message, { cause: error })
  }
  const why = SENTENCES[code] ?? (code || (error instanceof Error ? error.message : 'unknown error'))
  return new ControlError('ERR_CONTROL_UNREACHABLE', `cannot reach the control server at ${url}: ${why}`, {
    cause: error,
  })
}

/** Looks into an error that holds several: Node tries all addresses of a name. */
function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  if ('code' in error && typeof error.code === 'string') return error.code
  if ('errors' in error && Array.isArray(error.errors)) return codeOf(error.errors[0])
  return ''
}
