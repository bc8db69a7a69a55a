// Looks for a key in the memory of its own process. The key is only known in disguise, or it would find what it looks with.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const MASK = 0xa5
const CHUNK = 1 << 20
/** So many bytes are looked for by the machine, the rest is compared. */
const PREFIX = 4

/** A key that nobody else has. */
export class DisguisedKey {
  readonly #masked: Uint8Array

  /** Makes it of a seed. */
  constructor(seed: number) {
    this.#masked = Uint8Array.from({ length: 32 }, (_, i) => (Math.imul(seed + i, 0x9e37_79b1) >>> 13) & 0xff)
  }

  /** Writes it to memory outside the heap, where nothing is moved and forgotten. */
  write(into: Uint8Array): void {
    this.#masked.forEach((byte, i) => {
      into[i] = byte ^ MASK
    })
  }

  /** How many times it stands in what this process may write to. */
  count(): number {
    const memory = openSync('/proc/self/mem', 'r')
    try {
      return writableRanges().reduce((sum, [from, to]) => sum + this.#countIn(memory, from, to), 0)
    } finally {
      closeSync(memory)
    }
  }

  #countIn(memory: number, from: number, to: number): number {
    const chunk = Buffer.alloc(CHUNK)
    let found = 0
    for (let at = from; at < to; at += CHUNK - 31) {
      const length = readChunk(memory, chunk, at, Math.min(CHUNK, to - at))
      found += this.#countBefore(chunk, length)
    }
    chunk.fill(0)
    return found
  }

  #countBefore(chunk: Buffer, end: number): number {
    const prefix = Buffer.from(this.#masked.subarray(0, PREFIX).map((byte) => byte ^ MASK))
    let found = 0
    for (let at = chunk.indexOf(prefix); at >= 0 && at + 32 <= end; at = chunk.indexOf(prefix, at + 1)) {
      if (this.#masked.every((byte, i) => chunk[at + i] === (byte ^ MASK))) found += 1
    }
    return found
  }
}

function writableRanges(): [number, number][] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n')
  return lines
    .filter((line) => /^\S+ rw/.test(line))
    .map((line) => {
      const [from = '', to = ''] = (line.split(' ')[0] ?? '').split('-')
      return [Number.parseInt(from, 16), Number.parseInt(to, 16)]
    })
}

/** Returns how many bytes came: none where the system does not let itself be read. */
function readChunk(memory: number, chunk: Buffer, at: number, length: number): number {
  try {
    return readSync(memory, chunk, 0, length, at)
  } catch {
    return 0
  }
}
