// Gives a platform what is to be written piece by piece, the next when it has passed on the last.
import type { RelayStreamEvents } from './stream.ts'

/**
 * How much is given to a socket at once: what one TLS record holds. A socket tells when it has passed on all of what it was
 * given, not part of it; so with larger pieces a slow client, which takes something all the time, would look like one that
 * takes nothing.
 */
const PIECE_LENGTH = 16_384

/** The part of one stream that writes. */
export class PieceWriter {
  readonly #give: (chunks: readonly Uint8Array[], done: () => void) => void
  readonly #events: Pick<RelayStreamEvents, 'taken'>
  readonly #done = (): void => this.#handleDone()
  /** What has yet to be given; empty most of the time. */
  #waiting: readonly Uint8Array[] = NOTHING
  /** Bytes that the platform has and has not passed on. */
  #given = 0

  /** `give` passes chunks to the platform, which calls `done` when it has passed them on. */
  constructor(
    give: (chunks: readonly Uint8Array[], done: () => void) => void,
    events: Pick<RelayStreamEvents, 'taken'>,
  ) {
    this.#give = give
    this.#events = events
  }

  write(chunks: readonly Uint8Array[]): void {
    this.#waiting = this.#waiting.length === 0 ? chunks : [...this.#waiting, ...chunks]
    if (this.#given === 0) this.#giveNext()
  }

  #giveNext(): void {
    let count = 0
    let length = 0
    while (count < this.#waiting.length && length < PIECE_LENGTH) {
      length += this.#waiting[count]!.length
      count += 1
    }
    const piece = joined(this.#waiting, count)
    this.#waiting = count === this.#waiting.length ? NOTHING : this.#waiting.slice(count)
    this.#given = length
    this.#give(piece, this.#done)
  }

  #handleDone(): void {
    const length = this.#given
    this.#given = 0
    this.#events.taken(length)
    // What was taken may have brought more already.
    if (this.#given === 0 && this.#waiting.length > 0) this.#giveNext()
  }
}

const NOTHING: readonly Uint8Array[] = []

// Chunks that lie behind each other in memory, as frames to one receiver often do, become one.
function joined(chunks: readonly Uint8Array[], count: number): Uint8Array[] {
  const piece: Uint8Array[] = []
  for (let i = 0; i < count; ) {
    const first = chunks[i]!
    let length = first.length
    i += 1
    while (
      i < count &&
      chunks[i]!.buffer === first.buffer &&
      chunks[i]!.byteOffset === first.byteOffset + length
    ) {
      length += chunks[i]!.length
      i += 1
    }
    piece.push(length === first.length ? first : new Uint8Array(first.buffer, first.byteOffset, length))
  }
  return piece
}
