// What of an error goes into a sentence for a person.

/**
 * Returns why something failed, as a part of a sentence: the message without its full stop. Of several failures that came
 * together, as of the addresses of one name, it is the first.
 */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}

/** Returns the system's code of an error, such as `ENOENT`, or `''` for an error without one. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
