// What ends a command: one sentence for the person who typed it.

/** A failure that its message explains in full; the program prints it and ends with code 1. */
export class CommandError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
  }
}

/** Returns an error's message without a full stop, for use inside a sentence. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '')
}

/** Returns the system's code of an error, such as `ENOENT`, or `''`. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
