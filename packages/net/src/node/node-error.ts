// What failed below, in the words of a node: one sentence for a person, and a code of the closed list.
import { ControlError, type ControlErrorCode } from '@mesh/control-client'
import { NetError, type NetErrorCode } from '../errors.ts'

const CODES: Readonly<Partial<Record<ControlErrorCode, NetErrorCode>>> = {
  ERR_CONTROL_REFUSED: 'ERR_LOGIN_REFUSED',
  ERR_CONTROL_KEY_EXPIRED: 'ERR_LOGIN_NEEDED',
  ERR_CONTROL_KEY_NOT_KEPT: 'ERR_STATE_UNWRITABLE',
}

/** Returns the error for what can no longer be done. */
export function closedError(): NetError {
  return new NetError('ERR_CLOSED', 'The node was closed.')
}

/** Returns the error for what control would have to be asked, by a node that has not come so far. */
export function notConnected(): NetError {
  return new NetError('ERR_CONTROL_UNREACHABLE', 'This node is not connected to its control server.')
}

/** Returns any failure as a NetError. */
export function explain(error: unknown): NetError {
  if (error instanceof NetError) return error
  if (error instanceof ControlError) return explainControl(error)
  const known = error instanceof Error ? error : new Error(String(error))
  if ((known as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    const { port = 0 } = known as { readonly port?: number }
    const message = `UDP port ${port} is in use by another program: choose another, or 0 for any.`
    return new NetError('ERR_PORT_IN_USE', message, { cause: error })
  }
  return new NetError('ERR_NODE_FAILED', sentence(known.message), { cause: error })
}

function explainControl(error: ControlError): NetError {
  const code = CODES[error.code] ?? 'ERR_CONTROL_UNREACHABLE'
  const refused = code === 'ERR_LOGIN_REFUSED'
  const text = refused ? `the control server refused the login: ${error.message}` : error.message
  return new NetError(code, sentence(text), { cause: error })
}

/** Returns the text as a sentence: a capital first, a full stop last. */
export function sentence(text: string): string {
  const first = text.slice(0, 1).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}
