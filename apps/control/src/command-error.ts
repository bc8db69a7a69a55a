// What ends a command: one sentence for the person who typed it.

/** A failure that its message explains in full; the program prints it and ends with code 1. */
export class CommandError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
  }
}
