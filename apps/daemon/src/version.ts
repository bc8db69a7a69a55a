// The version that the daemon and the command line say they are.

/** Version of this release. */
export const VERSION = '0.1.0'
