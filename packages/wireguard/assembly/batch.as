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
  SLOT_LIVE,
  SLOT_STRIDE,
  STATE,
  STREAM,
  STREAM_END,
  TAG,
} from './layout'

let slots: usize = 0
let slotCount: u32 = 0
let packets: usize = 0
let packetsEnd: usize = 0
/** Entries of the table, and where the columns of as many packets lie. */
export let batch: u32 = 0
export let columns: usize = 0
/** How much of the key stream's room holds some. */
let used: usize = 0

/** Readies the memory, and says where the key slots and the packet area lie. */
export function configure(
  slotsAt: usize,
  count: u32,
  packetsAt: usize,
  packetsTo: usize,
  columnsAt: usize,
  entries: u32,
): void {
  writeMasks()
  slots = slotsAt
  slotCount = count
  packets = packetsAt
  packetsEnd = packetsTo
  columns = columnsAt
  batch = entries
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

/** Whether an entry lies in the packet area, with so much behind its text. */
// @ts-ignore: decorator
@inline
export function lies(table: usize, length: u32, behind: u32): bool {
  const offset = load<u32>(table, ENTRY_OFFSET)
  return offset >= packets && offset <= packetsEnd && packetsEnd - offset >= <usize>length + behind
}

/** Where an entry's key lies; 0 when it names no live one. */
// @ts-ignore: decorator
@inline
export function keyOf(table: usize): usize {
  const slot = load<u32>(table, ENTRY_KEY)
  if (slot >= slotCount) return 0
  const key = slots + slot * SLOT_STRIDE
  return load<u32>(key, SLOT_LIVE) == 1 ? key : 0
}

/** Checks where an entry reaches, and lays out its state: WireGuard's nonce is a zero word and the counter. */
function prepare(table: usize, length: u32): bool {
  if (!lies(table, length, TAG)) return false
  const key = keyOf(table)
  if (key == 0) return false
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
  used = max(used, min(<usize>length + 320, STREAM_END - STREAM))
}
