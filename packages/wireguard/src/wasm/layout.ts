// Where things lie in an arena's memory, as assembly/layout.as has it; a test holds the two together.

/** Bytes at the start of the memory that the module works in. */
export const SCRATCH_LENGTH = 66_624
/** Where the words of the super-packet that is being cut up lie. */
export const JOB = 66_560
/** Pieces of one super-packet at most: the first packet, and 64 more payloads. */
export const MAX_PIECES = 65
/** Bytes kept of each super-packet: number of pieces, whose it is, where the pieces lie and how long they are. */
export const OUT_STRIDE = 528
/** Bytes kept of each packet that is lent to a borrowed cipher: one-time key, block, tag, what lay behind it. */
export const LOAN_STRIDE = 128
/** In a loan: number of the first block, and the nonce. */
export const LOAN_BLOCK = 32
/** In a loan: the tag that was made. */
export const LOAN_TAG = 48
/** Bytes of a key slot: the key, a word that is 1 while the slot is live, padding. */
export const SLOT_STRIDE = 48
/** Offset of the live word in a key slot. */
export const SLOT_LIVE = 32
/** Words of 32 bits in an entry of a packet table. */
export const ENTRY_WORDS = 6
/** Word of an entry: where the packet begins in the memory. */
export const ENTRY_OFFSET = 0
/** Word of an entry: how long it is; the tag counts when it is to be opened. */
export const ENTRY_LENGTH = 1
/** Word of an entry: low half of the counter. */
export const ENTRY_COUNTER_LOW = 2
/** Word of an entry: high half of the counter. */
export const ENTRY_COUNTER_HIGH = 3
/** Word of an entry: which key slot. */
export const ENTRY_KEY = 4
/** Word of an entry: what became of it. */
export const ENTRY_RESULT = 5
/** Bytes in the page of a WebAssembly memory. */
export const PAGE_LENGTH = 65_536
