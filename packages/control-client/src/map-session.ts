// One map stream: bytes in, messages out, and a watchdog that ends it when nothing comes (control protocol §3.3).
import type { Machine } from '@mesh/sansio'
import { decodeMapMessage, MapFrameReader, type MapResponse, type Zstd } from '@mesh/wire/control'
import { ControlError } from './errors.ts'

/** A stream on which no whole message came for this long is dead: 120 s (control protocol §5.4). */
export const MAP_WATCHDOG = 120_000

/** What a map stream yields. */
export type MapSessionOutput =
  /** A whole message. */
  | { readonly kind: 'response'; readonly response: MapResponse }
  /** The stream is of no more use; nothing comes after this. */
  | { readonly kind: 'end'; readonly error: ControlError }

/** Reads one map stream from its first byte to its end. */
export class MapSession implements Machine<MapSessionOutput> {
  readonly #zstd: Zstd | undefined
  readonly #reader = new MapFrameReader()
  readonly #out: MapSessionOutput[] = []
  #deadline: number
  #snapshotCame = false
  #ended = false

  /** @param zstd - Unpacks the messages; without it they must be plain JSON. */
  constructor(now: number, zstd: Zstd | undefined) {
    this.#zstd = zstd
    this.#deadline = now + MAP_WATCHDOG
  }

  /** Takes the next bytes of the stream, cut anywhere. */
  handleData(chunk: Uint8Array, now: number): void {
    if (this.#ended) return
    this.#reader.feed(chunk)
    for (let message = this.#reader.read(); message !== undefined; message = this.#reader.read()) {
      this.#deadline = now + MAP_WATCHDOG
      const response = decodeMapMessage(message, this.#zstd)
      if (response === undefined) return this.#end('ERR_CONTROL_PROTOCOL', 'a map message cannot be read')
      if (!this.#accept(response)) return
    }
    if (this.#reader.broken) this.#end('ERR_CONTROL_PROTOCOL', 'a map message is empty or too long')
  }

  /** Takes the end of the stream. */
  handleEnd(): void {
    if (!this.#ended) this.#end('ERR_CONTROL_LOST', 'the control server ended the map stream')
  }

  /** Does whatever is due. Harmless when called early. */
  handleTimeout(now: number): void {
    if (this.#ended || now < this.#deadline) return
    this.#end('ERR_CONTROL_SILENT', 'the control server has said nothing for two minutes')
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): MapSessionOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call `handleTimeout`; `Infinity` means never. */
  pollTimeout(): number {
    return this.#ended ? Infinity : this.#deadline
  }

  /** The first message that is no keep-alive must be a snapshot with the node itself (control protocol §3.4). */
  #accept(response: MapResponse): boolean {
    if (!this.#snapshotCame && response.KeepAlive !== true) {
      if (response.Node === undefined) {
        this.#end('ERR_CONTROL_PROTOCOL', 'the first map message does not describe this node')
        return false
      }
      this.#snapshotCame = true
    }
    this.#out.push({ kind: 'response', response })
    return true
  }

  #end(code: 'ERR_CONTROL_PROTOCOL' | 'ERR_CONTROL_LOST' | 'ERR_CONTROL_SILENT', message: string): void {
    this.#ended = true
    this.#out.push({ kind: 'end', error: new ControlError(code, message) })
  }
}
