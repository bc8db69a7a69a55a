// The coordinator's times and bounds.

/** Changes are gathered this long, so that a burst becomes one response a session; milliseconds. */
export const BATCH_INTERVAL = 50
/**
 * Telling everybody takes time in proportion to how many they are, so under steady change it happens that much more
 * rarely: milliseconds a session, and the most it comes to.
 */
export const FLUSH_SPACING = 0.25
export const MAX_FLUSH_SPACING = 1000
/** Least time between keep-alives; clients give up after 120 s (control §3.3). */
export const KEEP_ALIVE_INTERVAL = 50_000
/** Up to this much is added at random, so that sessions do not beat in step. */
export const KEEP_ALIVE_JITTER = 9_000
/** The most map streams of one node; a new one ends the oldest. */
export const MAX_SESSIONS_PER_NODE = 4
/** Wall-clock moments are looked at again at least this often, for the wall clock may be set. */
export const MAX_EXPIRY_WAIT = 60 * 60_000
