// What ends the program: one sentence for the person who started it.

/** The exit code for a command line that makes no sense. */
export const USAGE = 2

/** The exit code for everything else that goes wrong. */
export const FAILED = 1

/** A failure that its message explains in full. */
export class Failure extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = FAILED, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Failure'
    this.exitCode = exitCode
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
