// Why a written policy was not taken.

/** Why a policy was refused. */
export type PolicyErrorCode =
  /** It is no HuJSON, or has a field or a kind of value that the language does not know. */
  | 'ERR_POLICY_SYNTAX'
  /** It says something that has no meaning. */
  | 'ERR_POLICY_MEANING'
  /** One of its own tests fails. */
  | 'ERR_POLICY_TEST'

/** A policy that cannot be taken. The message is one sentence for whoever wrote it; compare {@link PolicyError.code}. */
export class PolicyError extends Error {
  /** Which of the known reasons it is. */
  readonly code: PolicyErrorCode
  /** The line it is about, counted from 1, where there is one. */
  readonly line: number | undefined
  /** What else there is to say, a line each: which tests failed. */
  readonly details: readonly string[]

  constructor(
    code: PolicyErrorCode,
    message: string,
    { line, details = [] }: { readonly line?: number; readonly details?: readonly string[] } = {},
  ) {
    super(message)
    this.name = 'PolicyError'
    this.code = code
    this.line = line
    this.details = details
  }
}
