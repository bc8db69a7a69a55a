// Map responses as bytes, each made once for all who get it. A response that many sessions share is packed once. Of a
// snapshot the peers are packed in slices that the next viewer's snapshot uses again: a message may consist of several
// zstd frames, one behind the other (RFC 8878 §3.1), and only the slice around the viewer itself is its own.

import { zstdCompressSync, constants as zlib } from 'node:zlib'
import type { MapResponse, Node } from '@mesh/wire/control'
import { encodeMapLength } from '@mesh/wire/control'
import { jsonPieces } from './json-pieces.ts'
import { MapSlices } from './map-slices.ts'
import { MAX_RAW, rawFrame } from './zstd-raw.ts'

/** Most of a map is keys, which do not pack; the levels above take twice as long for 5 % more bytes. */
const PACKING = { params: { [zlib.ZSTD_c_compressionLevel]: 1 } }
/** Peers whose numbers agree but for so many low bits share a slice. */
const SLICE_BITS = 7
/** Snapshots with fewer peers are packed whole. */
const MIN_SLICED = 2 << SLICE_BITS

/** The pieces of a message, with its length in front. */
type Message = readonly Uint8Array[]

/** What clients of one kind get. */
interface Form {
  readonly messages: WeakMap<MapResponse, Message>
  readonly slices: MapSlices
  /** Long lists that stand in the rules of many. */
  readonly lists: WeakMap<readonly unknown[], Uint8Array>
  readonly pack: (text: string) => Uint8Array
  /** What every snapshot ends with. */
  readonly end: Uint8Array
}

/** Encodes responses, remembering those that come again. */
export class MapEncoder {
  readonly #plain = formOf((text) => Buffer.from(text))
  readonly #packed = formOf(packWithZstd)
  readonly #nodes = new WeakMap<Node, string>()

  /** How many bytes of slices are kept. */
  get kept(): number {
    return this.#plain.slices.size + this.#packed.slices.size
  }

  /**
   * Returns a response as it goes on the wire, in pieces. The bytes are shared: they must not be changed.
   *
   * @param packed - Whether the client asked for zstd.
   */
  encode(response: MapResponse, packed: boolean): Message {
    const form = packed ? this.#packed : this.#plain
    const known = form.messages.get(response)
    if (known) return known
    const parts = this.#parts(response, form)
    const message = [encodeMapLength(parts.reduce((sum, { length }) => sum + length, 0)), ...parts]
    form.messages.set(response, message)
    return message
  }

  /** A snapshot is `{…rest,"Peers":[`, slices of peers, and `]}`. */
  #parts(response: MapResponse, form: Form): Uint8Array[] {
    const { Peers, ...rest } = response
    if (!Peers || Peers.length < MIN_SLICED) return this.#pieces(response, '', form)
    const viewer = placeOf(rest.Node?.ID ?? 0)
    const parts = this.#pieces(rest, ',"Peers":[', form)
    for (let start = 0, end = 0; start < Peers.length; start = end) {
      const place = placeOf((Peers[start] as Node).ID)
      end = start + 1
      while (end < Peers.length && placeOf((Peers[end] as Node).ID) === place) end += 1
      // Nobody else lacks the viewer.
      if (place === viewer) parts.push(form.pack(this.#text(Peers.slice(start, end), start === 0)))
      else parts.push(this.#slice(place, Peers, start, end, form))
    }
    parts.push(form.end)
    return parts
  }

  /** Packs a response, whose end is taken off for what goes on with `tail`. */
  #pieces(response: MapResponse, tail: string, form: Form): Uint8Array[] {
    const pieces = jsonPieces(response)
    return pieces.map((piece, i) => {
      if (typeof piece !== 'string') return listOf(piece, form)
      return form.pack(tail !== '' && i === pieces.length - 1 ? piece.slice(0, -1) + tail : piece)
    })
  }

  #slice(place: number, peers: readonly Node[], start: number, end: number, form: Form): Uint8Array {
    const key = start === 0 ? -1 - place : place
    const known = form.slices.find(key, peers, start, end)
    if (known) return known
    const nodes = peers.slice(start, end)
    const bytes = form.pack(this.#text(nodes, start === 0))
    form.slices.keep(key, nodes, bytes)
    return bytes
  }

  /** Each but the very first has its comma in front. */
  #text(nodes: readonly Node[], isFirst: boolean): string {
    const text = nodes.map((node) => this.#node(node)).join(',')
    return isFirst ? text : `,${text}`
  }

  #node(node: Node): string {
    const text = this.#nodes.get(node) ?? JSON.stringify(node)
    this.#nodes.set(node, text)
    return text
  }
}

function packWithZstd(text: string): Uint8Array {
  const bytes = text.length > MAX_RAW ? text : Buffer.from(text)
  return bytes.length > MAX_RAW ? zstdCompressSync(bytes, PACKING) : rawFrame(bytes as Uint8Array)
}

function formOf(pack: Form['pack']): Form {
  return { messages: new WeakMap(), slices: new MapSlices(), lists: new WeakMap(), pack, end: pack(']}') }
}

function listOf(list: readonly unknown[], { lists, pack }: Form): Uint8Array {
  const bytes = lists.get(list) ?? pack(JSON.stringify(list))
  lists.set(list, bytes)
  return bytes
}

function placeOf(id: number): number {
  return id >> SLICE_BITS
}
