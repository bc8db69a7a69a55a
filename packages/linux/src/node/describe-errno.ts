// What a negative result means, in words.
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

/** Returns `EPERM: operation not permitted` for the negative result of a call. */
export function describeErrno(result: number): string {
  try {
    return `${getSystemErrorName(result)}: ${getSystemErrorMessage(result)}`
  } catch {
    return `error ${-result}`
  }
}
