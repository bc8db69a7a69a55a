// Map responses as bytes, each made once for all who get it. A response that many sessions share is packed once. Of a
// snapshot the peers are packed in slices that the next viewer's snapshot uses again: a message may consist of several
// zstd frames, one behind the other (RFC 8878 §3.1), and only the slice around the viewer itself is its own.

import { zstdCompressSync, constants as zlib } from 'node:zlib'
import type { MapResponse, Node } from '@mesh/wire/control'
import { encodeJson, encodeMapFrame, encodeMapLength } from '@mesh/wire/control'

/** Deltas are packed for speed. */
const FAST = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } }
/** Slices are used many times. */
const TIGHT = { params: { [zlib.ZSTD_c_compressionLevel]: 3 } }
/** Peers whose numbers agree but for so many low bits share a slice. */
const SLICE_BITS = 7
/** Snapshots with fewer peers are packed whole. */
const MIN_SLICED = 2 << SLICE_BITS

interface Slice {
  readonly nodes: readonly Node[]
  readonly bytes: Packed
}

type Packed = ReturnType<typeof zstdCompressSync>

/** The pieces of a message, with its length in front. */
type Message = readonly Uint8Array[]

/** Encodes responses, remembering those that come again. */
export class MapEncoder {
  readonly #plain = new WeakMap<MapResponse, Message>()
  readonly #packed = new WeakMap<MapResponse, Message>()
  readonly #nodes = new WeakMap<Node, string>()
  readonly #slices = new Map<number, Slice>()

  /**
   * Returns a response as it goes on the wire, in pieces. The bytes are shared: they must not be changed.
   *
   * @param packed - Whether the client asked for zstd.
   */
  encode(response: MapResponse, packed: boolean): Message {
    const known = packed ? this.#packed : this.#plain
    const bytes = known.get(response) ?? this.#make(response, packed)
    known.set(response, bytes)
    return bytes
  }

  #make(response: MapResponse, packed: boolean): Message {
    if (!packed) return [encodeMapFrame(encodeJson(response))]
    const { Peers, ...rest } = response
    if (!Peers || Peers.length < MIN_SLICED)
      return [encodeMapFrame(zstdCompressSync(encodeJson(response), FAST))]
    const slices = this.#inSlices(rest, Peers)
    const length = slices.reduce((sum, slice) => sum + slice.length, 0)
    return [encodeMapLength(length), ...slices]
  }

  /** `{…rest,"Peers":[` and slices of peers, each with the comma in front of it, and `]}`. */
  #inSlices(rest: MapResponse, peers: readonly Node[]): Uint8Array[] {
    const parts: Uint8Array[] = [
      zstdCompressSync(Buffer.from(`${JSON.stringify(rest).slice(0, -1)},"Peers":[`), FAST),
    ]
    for (let start = 0; start < peers.length; ) {
      const slot = (peers[start] as Node).ID >> SLICE_BITS
      let end = start + 1
      while (end < peers.length && (peers[end] as Node).ID >> SLICE_BITS === slot) end += 1
      parts.push(this.#slice(slot, peers, start, end))
      start = end
    }
    parts.push(END)
    return parts
  }

  #slice(slot: number, peers: readonly Node[], start: number, end: number): Packed {
    const isFirst = start === 0
    const known = this.#slices.get(isFirst ? -1 - slot : slot)
    if (known && isSame(known.nodes, peers, start, end)) return known.bytes
    const nodes = peers.slice(start, end)
    const text = nodes.map((node) => this.#text(node)).join(',')
    const bytes = zstdCompressSync(Buffer.from(isFirst ? text : `,${text}`), TIGHT)
    // A viewer's own slice lacks the viewer; only the fuller one is worth keeping.
    if (!known || known.nodes.length <= nodes.length)
      this.#slices.set(isFirst ? -1 - slot : slot, { nodes, bytes })
    return bytes
  }

  #text(node: Node): string {
    const text = this.#nodes.get(node) ?? JSON.stringify(node)
    this.#nodes.set(node, text)
    return text
  }
}

const END = zstdCompressSync(Buffer.from(']}'), FAST)

function isSame(known: readonly Node[], peers: readonly Node[], start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i += 1) if (known[i] !== peers[start + i]) return false
  return true
}
