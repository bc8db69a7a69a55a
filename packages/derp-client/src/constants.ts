// Times and sizes of a DERP client, with the section of data-plane.md that gives each.

/** Dialling, TLS, upgrade and login together may take this long: 10 s (§2.13). */
export const CONNECT_TIMEOUT = 10_000

/** A connection on which no frame came for this long is dead: 120 s, twice the server's keep-alive (§2.13). */
export const LIVENESS_TIMEOUT = 120_000

/** A ping unanswered for this long condemns the connection: 3 s (§2.13). */
export const PING_TIMEOUT = 3_000

/** The most that a client waits between two attempts, before the random factor: 5 s (§2.13). */
export const MAX_BACKOFF = 5_000

/** How many packets wait for a connection that is not up or does not drain (§2.14). */
export const SEND_QUEUE_LENGTH = 32
