// Where things lie in the memory. The module has no data and no heap of its own: it works in the first bytes of the
// memory it is given, and everything behind `SCRATCH_END` is the caller's. src/wasm/layout.ts says the same for the
// TypeScript side; a test holds the two together.

/** Two masks for a swizzle: they rotate words of 32 bits by 16 bits and by 8. Written once, never wiped. */
export const ROTATE_16: usize = 16
export const ROTATE_8: usize = 32

/** The 16 words of the ChaCha20 state of the packet at hand (RFC 8439 section 2.3): constants, key, block, nonce. */
export const STATE: usize = 64
export const STATE_KEY: usize = STATE + 16
export const STATE_BLOCK: usize = STATE + 48
export const STATE_NONCE: usize = STATE + 52

/** Poly1305's r as four words of 32 bits, then r * 5 / 4 of the upper three; each in a u64. Then the 16 bytes added at the end. */
export const POLY_R: usize = 128
export const POLY_PAD: usize = POLY_R + 64

/** Sixteen bytes to lay a message's last, incomplete block in. */
export const TAIL: usize = 224

/** Key stream: the block that becomes the Poly1305 key, then as much as the longest text needs, in whole strides. */
export const STREAM: usize = 256
export const MAX_TEXT: u32 = 65535
const STREAM_LENGTH: usize = 65792

export const STREAM_END: usize = STREAM + STREAM_LENGTH

/** Flows that may grow (join.as), and the packet that is being cut up (cut.as). */
export const FLOWS: usize = STREAM_END
export const FLOW_STRIDE: usize = 64
const FLOWS_LENGTH: usize = 512
export const JOB: usize = FLOWS + FLOWS_LENGTH
const JOB_LENGTH: usize = 64

/** The first byte that is the caller's. */
export const SCRATCH_END: usize = JOB + JOB_LENGTH

/** What is kept of each packet and each out of a batch: see src/wasm/columns.ts. */
export const MAX_PIECES: u32 = 65
export const OUT_STRIDE: u32 = 528
export const LOAN_STRIDE: u32 = 128

export const BLOCK: u32 = 64
export const TAG: u32 = 16

/** A key slot: 32 bytes of key, a word that is 1 while the slot is live, and padding. */
export const SLOT_LIVE: usize = 32
export const SLOT_STRIDE: usize = 48

/** An entry of the packet table: six words. */
export const ENTRY_OFFSET: usize = 0
export const ENTRY_LENGTH: usize = 4
export const ENTRY_COUNTER: usize = 8
export const ENTRY_KEY: usize = 16
export const ENTRY_RESULT: usize = 20
export const ENTRY_STRIDE: usize = 24

/** Results below zero. */
export const REFUSED: i32 = -1
export const FORGED: i32 = -2
