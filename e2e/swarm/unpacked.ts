// What the messages of a swarm hold. It gets gigabytes of maps, most of them in the same zstd frames: each frame is
// unpacked once, and looked through for the numbers of nodes, not parsed. One byte more or less makes it another frame, and
// numbers that a frame does not name count for nobody.

import { zstdDecompressSync } from 'node:zlib'
import { zstdFrames } from './zstd-frames.ts'

/** One frame, unpacked. */
export interface Unpacked {
  readonly json: Buffer
  /** The numbers of the nodes that stand in it whole. */
  readonly named: readonly number[]
  /** The numbers of the nodes that it takes away. */
  readonly removed: readonly number[]
}

const JSON_LIMIT = 64 << 20
/** Longer frames are nobody else's, bytes. */
const MAX_KEPT_LENGTH = 128 << 10
const MAX_KEPT = 1024
const STABLE_ID = Buffer.from(',"StableID":')
const REMOVED = Buffer.from('"PeersRemoved":[')
const COLON = 58
const BRACKET = 93

/** Unpacks messages, and remembers the frames that came last. */
export class Unpacker {
  /** By length and last bytes, which in packed frames are as good as random; the least recently used come first. */
  readonly #kept = new Map<string, { readonly packed: Buffer; readonly unpacked: Unpacked }>()

  /** Returns what the frames of a message hold. Throws when they are bad. */
  unpack(message: Uint8Array): readonly Unpacked[] {
    return zstdFrames(message).map((frame) => this.#frame(frame))
  }

  /** Returns what a message holds that is not packed. */
  read(message: Uint8Array): Unpacked {
    return read(Buffer.from(message))
  }

  #frame(frame: Uint8Array): Unpacked {
    if (frame.length > MAX_KEPT_LENGTH) return read(unzip(frame))
    const view = new DataView(frame.buffer, frame.byteOffset + frame.length - 8, 8)
    const key = `${frame.length} ${view.getUint32(0)} ${view.getUint32(4)}`
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    const each = kept?.packed.equals(frame)
      ? kept
      : { packed: Buffer.from(frame), unpacked: read(unzip(frame)) }
    this.#kept.set(key, each)
    if (this.#kept.size > MAX_KEPT) this.#forgetOldest()
    return each.unpacked
  }

  #forgetOldest(): void {
    for (const key of this.#kept.keys()) return void this.#kept.delete(key)
  }
}

/** Returns the JSON of a whole message. */
export function unzip(message: Uint8Array): Buffer {
  // One piece, not many that are joined.
  const chunkSize = Math.min(Math.max(8 * message.length, 1 << 14), JSON_LIMIT)
  return zstdDecompressSync(message, { maxOutputLength: JSON_LIMIT, chunkSize })
}

function read(json: Buffer): Unpacked {
  const named: number[] = []
  for (let at = json.indexOf(STABLE_ID); at !== -1; at = json.indexOf(STABLE_ID, at + STABLE_ID.length))
    named.push(numberBefore(json, at))
  const at = json.indexOf(REMOVED)
  if (at === -1) return { json, named, removed: [] }
  const list = json.subarray(at + REMOVED.length - 1, json.indexOf(BRACKET, at) + 1)
  return { json, named, removed: JSON.parse(list.toString()) as number[] }
}

/** Every node begins with its number; the text that stands behind it is what can be looked for. */
function numberBefore(json: Buffer, end: number): number {
  let id = 0
  let at = end - 1
  for (let scale = 1; isDigit(json[at]); scale *= 10, at -= 1) id += scale * ((json[at] ?? 0) - 48)
  if (at === end - 1 || json[at] !== COLON) throw new Error('a node without a number')
  return id
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57
}
