// What of an error goes into a sentence.

/** Returns an error's message without a full stop, for use inside a sentence. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}

/** Returns the system's code of an error, such as `ENOENT`, or `''`. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
