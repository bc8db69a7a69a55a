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
