// The numbers of the protocol (data-plane.md 1.5), under the names they have there. Times are milliseconds.

/** Age at which the initiator of a session begins the next handshake when it sends. */
export const REKEY_AFTER_TIME = 120_000
/** Age from which a session is used neither to send nor to receive. */
export const REJECT_AFTER_TIME = 180_000
/** Shortest time between two handshake messages to one peer, and the base of the retransmit timer. */
export const REKEY_TIMEOUT = 5_000
/** Greatest random delay added to the retransmit and no-answer timers. */
export const REKEY_TIMEOUT_JITTER = 333
/** For how long a handshake is tried. */
export const REKEY_ATTEMPT_TIME = 90_000
/** Retransmit counter beyond which a handshake is given up: 20 initiations in all. */
export const MAX_TIMER_HANDSHAKES = REKEY_ATTEMPT_TIME / REKEY_TIMEOUT
/** Silence after received data that is broken by a keepalive. */
export const KEEPALIVE_TIMEOUT = 10_000
/** Age of a received session's key at which its initiator begins anew, once. */
export const REKEY_ON_RECEIVE = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT
/** For how long a cookie is used, and a cookie secret kept. */
export const COOKIE_REFRESH_TIME = 120_000
/** Time after the last session began at which all keys are wiped. */
export const ZERO_KEY_MATERIAL = 3 * REJECT_AFTER_TIME
/** Peers of one device at most. */
export const MAX_PEERS = 65_536
/** Valid initiations of one peer closer than this to the last accepted one are refused. */
export const INITIATION_INTERVAL = 20
/** Plaintexts are filled up with zeros to a multiple of this. */
export const PADDING_MULTIPLE = 16
/** How far behind the highest counter a packet may be. */
export const WINDOW_SIZE = 8_128
/** High half of rekey-after-messages, 2^60 (the low half is zero). */
export const REKEY_AFTER_MESSAGES_HIGH = 0x1000_0000
/** High half of reject-after-messages, 2^64 - 2^13 - 1. */
export const REJECT_AFTER_MESSAGES_HIGH = 0xffff_ffff
/** Low half of reject-after-messages, 2^64 - 2^13 - 1. */
export const REJECT_AFTER_MESSAGES_LOW = 0xffff_dfff
/** Packets kept for each peer while there is no session; the oldest go first (data-plane.md 1.10). */
export const STAGED_PACKETS = 128
/** The MTU of an overlay device when nothing else was said. */
export const DEFAULT_MTU = 1280
/** Handshake messages waiting to be worked on; more are dropped (data-plane.md 1.10). */
export const HANDSHAKE_QUEUE = 1_024
/** Waiting handshake messages from which on the device is under load (data-plane.md 1.4). */
export const UNDER_LOAD_QUEUE = HANDSHAKE_QUEUE / 8
/** For how long the device stays under load. */
export const UNDER_LOAD_TIME = 1_000
