// Where a listener says what happens: the shape of pino and its like. Nothing secret is ever passed.

/** Takes log lines: fields first, then words. */
export interface ControlLogger {
  /** Something ordinary happened. */
  info(fields: object, message: string): void
  /** Something that should not happen, happened. */
  warn(fields: object, message: string): void
  /** Something failed. */
  error(fields: object, message: string): void
}

/** Says nothing. */
export const silentLogger: ControlLogger = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
