// The one way in which a policy is told that it has no meaning.
import { PolicyError } from '../errors.ts'

/** Returns the error for a sentence about a policy. */
export function meaningless(message: string): PolicyError {
  return new PolicyError('ERR_POLICY_MEANING', message)
}
