// What a negative result means, in words.
import { getSystemErrorMap } from 'node:util'
import { EBADFD } from '../numbers.ts'

/** What Node has no words for. */
const MORE: ReadonlyMap<number, readonly [string, string]> = new Map([
  [-EBADFD, ['EBADFD', 'file descriptor in bad state']],
])

/** Returns `EPERM: operation not permitted` for the negative result of a call, and `error 531` for one that nobody names. */
export function describeErrno(result: number): string {
  const [name, message] = getSystemErrorMap().get(result) ?? MORE.get(result) ?? []
  return name === undefined ? `error ${-result}` : `${name}: ${message}`
}
