// The version this program states.

/** The program's version. */
export const VERSION = '0.1.0'
