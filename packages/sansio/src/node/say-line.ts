// Lines for people on a standard stream. A stream of Node's that failed once, as a file on a full disk does, ends the program
// when nobody listens, and is silent for ever when somebody does.
import { writeSync } from 'node:fs'

/** Where lines go: 1 for what was asked for, 2 for what happens meanwhile. */
export type StandardStream = 1 | 2

/**
 * Writes text at once. What cannot be written, because the disk is full or nobody reads any more, is lost and ends nothing; what
 * comes later is tried again.
 */
export function sayOn(stream: StandardStream, text: string): void {
  try {
    writeSync(stream, text)
  } catch {
    // There is nowhere left to say it.
  }
}
