// Headers as HTTP/2 packs them (RFC 7541), for reading. Both ends keep a table of what was said before, so every block
// must be read, also that of a request nobody wants.

import { decodeHuffman } from './huffman.ts'

/** A header: its name and its value, one character a byte. */
export type Field = readonly [name: string, value: string]

/** The size of the table until somebody says otherwise, which this server never does. */
const TABLE_SIZE = 4096
/** What a field counts beside its characters (RFC 7541 §4.1). */
const FIELD_OVERHEAD = 32

/** RFC 7541 appendix A, from index 1. */
const STATIC: readonly Field[] = (
  ':authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 ' +
  ':status=204 :status=206 :status=304 :status=400 :status=404 :status=500 accept-charset ' +
  'accept-encoding=gzip,_deflate accept-language accept-ranges accept access-control-allow-origin age allow ' +
  'authorization cache-control content-disposition content-encoding content-language content-length ' +
  'content-location content-range content-type cookie date etag expect expires from host if-match ' +
  'if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards ' +
  'proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie ' +
  'strict-transport-security transfer-encoding user-agent vary via www-authenticate'
)
  .split(' ')
  .map((entry) => {
    const [name = '', value = ''] = entry.split('=')
    return [name, value.replace('_', ' ')]
  })

/** Reads the header blocks of one connection, in the order in which they came. */
export class HpackDecoder {
  readonly #maxListSize: number
  /** Newest first. */
  readonly #table: Field[] = []
  #size = 0
  #maxSize = TABLE_SIZE

  /** @param maxListSize - The most that the fields of one block may count together. */
  constructor(maxListSize: number) {
    this.#maxListSize = maxListSize
  }

  /** Returns the fields of a block, or `undefined` when it is bad or too large: then no later block can be read. */
  decode(block: Uint8Array): readonly Field[] | undefined {
    const reader = new BlockReader(block)
    const fields: Field[] = []
    let size = 0
    while (!reader.atEnd) {
      const first = reader.peek()
      if ((first & 0xe0) === 0x20) {
        const maxSize = reader.integer(5)
        if (fields.length > 0 || maxSize === undefined || maxSize > TABLE_SIZE) return undefined
        this.#maxSize = maxSize
        this.#evict()
        continue
      }
      const field = (first & 0x80) !== 0 ? this.#indexed(reader) : this.#literal(reader, first)
      if (!field) return undefined
      size += sizeOf(field)
      if (size > this.#maxListSize) return undefined
      fields.push(field)
    }
    return fields
  }

  #indexed(reader: BlockReader): Field | undefined {
    return this.#entry(reader.integer(7))
  }

  #literal(reader: BlockReader, first: number): Field | undefined {
    const isRemembered = (first & 0x40) !== 0
    const index = reader.integer(isRemembered ? 6 : 4)
    const name = index === 0 ? reader.text() : this.#entry(index)?.[0]
    const value = name === undefined ? undefined : reader.text()
    if (name === undefined || value === undefined) return undefined
    const field = [name, value] as const
    if (isRemembered) {
      this.#table.unshift(field)
      this.#size += sizeOf(field)
      this.#evict()
    }
    return field
  }

  #entry(index: number | undefined): Field | undefined {
    if (index === undefined || index === 0) return undefined
    return index <= STATIC.length ? STATIC[index - 1] : this.#table[index - 1 - STATIC.length]
  }

  #evict(): void {
    while (this.#size > this.#maxSize) {
      const oldest = this.#table.pop()
      if (!oldest) return
      this.#size -= sizeOf(oldest)
    }
  }
}

/** Goes through one block. */
class BlockReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  /** The next byte, which stays. */
  peek(): number {
    return this.#bytes[this.#at] ?? 0
  }

  /** Reads a number whose beginning is in the low bits of the next byte (RFC 7541 §5.1). */
  integer(bits: number): number | undefined {
    const mask = (1 << bits) - 1
    let value = this.#next() & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.atEnd) return undefined
      const byte = this.#next()
      value += (byte & 0x7f) << shift
      if ((byte & 0x80) === 0) return value
    }
    return undefined
  }

  /** Reads a text, packed or plain (RFC 7541 §5.2). */
  text(): string | undefined {
    const isPacked = (this.peek() & 0x80) !== 0
    const length = this.atEnd ? undefined : this.integer(7)
    if (length === undefined || length > this.#bytes.length - this.#at) return undefined
    const bytes = this.#bytes.subarray(this.#at, (this.#at += length))
    return isPacked ? decodeHuffman(bytes) : latin1(bytes)
  }

  #next(): number {
    return this.#bytes[this.#at++] ?? 0
  }
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

function sizeOf([name, value]: Field): number {
  return name.length + value.length + FIELD_OVERHEAD
}
