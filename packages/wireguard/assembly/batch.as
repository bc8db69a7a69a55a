// Batches: a table in memory says of each packet where it lies, how long it is, its counter and its key; a batch seals or
// opens them one after another, in place, and writes beside each what became of it.
//
// The module trusts the table with nothing but secrets: an entry that reaches outside the packet area, names no live key
// or is too long is refused and touches no byte. So a mistake in the caller's arithmetic cannot reach keys.
import { open, seal, setState, settle } from './aead'
import { writeMasks } from './chacha20'
import {
  ENTRY_COUNTER,
  ENTRY_KEY,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_RESULT,
  ENTRY_STRIDE,
  FORGED,
  MAX_TEXT,
  REFUSED,
  SCRATCH_END,
  SLOT_LIVE,
  SLOT_STRIDE,
  STATE,
  STREAM,
  TAG,
} from './layout'

let slots: usize = 0
let slotCount: u32 = 0
let packets: usize = 0
let packetsEnd: usize = 0
/** How much of the key stream's room holds some. */
let used: usize = 0

/** Readies the memory, and says where the key slots and the packet area lie. */
export function configure(slotsAt: usize, count: u32, packetsAt: usize, packetsTo: usize): void {
  writeMasks()
  slots = slotsAt
  slotCount = count
  packets = packetsAt
  packetsEnd = packetsTo
}

/** Seals the first `count` entries of a table and returns how many it sealed. A result is the length with the tag. */
export function sealBatch(table: usize, count: u32): u32 {
  let done: u32 = 0
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE) {
    const length = load<u32>(table, ENTRY_LENGTH)
    let result = REFUSED
    if (length <= MAX_TEXT && prepare(table, length)) {
      seal(load<u32>(table, ENTRY_OFFSET), length, 0, 0)
      result = length + TAG
      done++
    }
    store<i32>(table, result, ENTRY_RESULT)
  }
  settle()
  forget()
  return done
}

/** Opens the first `count` entries of a table and returns how many it opened. A result is the length of the text. */
export function openBatch(table: usize, count: u32): u32 {
  let done: u32 = 0
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE) {
    const length = load<u32>(table, ENTRY_LENGTH) - TAG
    let result = REFUSED
    if (length <= MAX_TEXT && prepare(table, length)) {
      result = FORGED
      if (open(load<u32>(table, ENTRY_OFFSET), length, 0, 0)) {
        result = length
        done++
      }
    }
    store<i32>(table, result, ENTRY_RESULT)
  }
  forget()
  return done
}

/** Checks where an entry reaches, and lays out its state: WireGuard's nonce is a zero word and the counter. */
function prepare(table: usize, length: u32): bool {
  const offset = load<u32>(table, ENTRY_OFFSET)
  const slot = load<u32>(table, ENTRY_KEY)
  if (offset < packets || offset > packetsEnd || packetsEnd - offset < length + TAG) return false
  if (slot >= slotCount) return false
  const key = slots + slot * SLOT_STRIDE
  if (load<u32>(key, SLOT_LIVE) != 1) return false
  setState(key, 0, load<u32>(table, ENTRY_COUNTER), load<u32>(table, ENTRY_COUNTER + 4))
  note(length)
  return true
}

/**
 * Seals one text under any nonce and with associated data, which is what a handshake needs. The caller answers for
 * where things lie.
 */
export function sealOne(
  text: usize,
  length: u32,
  key: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
): void {
  setState(key, load<u32>(nonce), load<u32>(nonce, 4), load<u32>(nonce, 8))
  note(length)
  seal(text, length, ad, adLength)
  settle()
  forget()
}

/** Opens what {@link sealOne} made; `length` is that of the text. Returns whether it is genuine. */
export function openOne(
  text: usize,
  length: u32,
  key: usize,
  nonce: usize,
  ad: usize,
  adLength: u32,
): bool {
  setState(key, load<u32>(nonce), load<u32>(nonce, 4), load<u32>(nonce, 8))
  note(length)
  const genuine = open(text, length, ad, adLength)
  forget()
  return genuine
}

/** Wipes all that the packets left in the scratch area: keys, one-time keys, key stream. */
export function forget(): void {
  memory.fill(STATE, 0, STREAM + used - STATE)
  used = 0
}

// @ts-ignore: decorator
@inline
function note(length: u32): void {
  // Rounded up to whole strides, and no further than the room there is.
  used = max(used, min(<usize>length + 320, SCRATCH_END - STREAM))
}
