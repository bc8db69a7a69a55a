// The version that the daemon and the command line say they are.

/** Version of this release. */
export const VERSION = '0.1.0'

/** Capability version of the control protocol that this release speaks. */
export const CAPABILITY_VERSION = 145
