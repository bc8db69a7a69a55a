// Times and sizes of a DERP server, with the section of data-plane.md that gives each.

/** How long a connection may take to log in, and the admission to answer: 10 s each (§2.6). */
export const LOGIN_TIMEOUT = 10_000

/** The least time between two keep-alives on a connection: 60 s (§2.5). */
export const KEEP_ALIVE = 60_000

/** What chance adds to {@link KEEP_ALIVE}, fixed for each connection: up to 5 s (§2.5). */
export const KEEP_ALIVE_JITTER = 5_000

/** A receiver that takes nothing for this long is cut off: 2 s (§2.7). */
export const WRITE_TIMEOUT = 2_000

/** The same for a relay of the same mesh: 30 s (§2.7). */
export const MESH_WRITE_TIMEOUT = 30_000

/** How many arrivals and departures may wait for a mesh peer that is slow to take them; then it is cut off. */
export const MAX_NEWS = 65_536

/** The least burst of a receive limit: the longest SendPacket frame's payload (§2.7). */
export const MIN_RECEIVE_BURST = 65_568

/** The length of each of a connection's two packet queues (§2.7). */
export const SEND_QUEUE_LENGTH = 32

/**
 * How many bytes may lie in one connection's stream before packets wait in the queues instead. Streams of most
 * platforms never refuse bytes, so without this a slow reader would grow the heap (appendix B 11).
 */
export const WRITE_WINDOW = 131_072

/** PeerGone "not here" frames to one sender: three at once, then one a second (§2.8). */
export const PEER_GONE_BURST = 3

/** Milliseconds until one more PeerGone "not here" may be sent (§2.8). */
export const PEER_GONE_INTERVAL = 1_000

/**
 * Milliseconds that the answer to a login waits at most for the other parts of the relay to hear of the client. They take
 * well under one; one that is stuck keeps nobody out.
 */
export const PART_TIMEOUT = 1_000

/** How many bytes may come from a client while its admission is being decided: 128 KiB. */
export const MAX_HELD = 131_072
