// Bodies of requests, from machines that may not be in the network: each is bounded, so is what one connection and all
// of them together may have under way, and so is the time one may take (control §9.7.4, threat 26).

import type { ServerHttp2Stream } from 'node:http2'
import { constants as http2 } from 'node:http2'
import { MAX_REQUEST_LENGTH } from '@mesh/wire/control'

/** The most bytes of unfinished bodies of one connection. */
const MAX_PER_CONNECTION = 4 << 20
/** The most bytes of unfinished bodies of all connections. */
const MAX_TOGETHER = 256 << 20
/** How long a body may take, milliseconds. */
const BODY_TIMEOUT = 30_000

/** Counts bytes under way against a limit, and against that of a wider budget. */
export class BodyBudget {
  readonly #limit: number
  readonly #wider: BodyBudget | undefined
  #used = 0

  private constructor(limit: number, wider?: BodyBudget) {
    this.#limit = limit
    this.#wider = wider
  }

  /** Returns the budget of all connections together. */
  static together(): BodyBudget {
    return new BodyBudget(MAX_TOGETHER)
  }

  /** Returns the budget of one more connection within this one. */
  connection(): BodyBudget {
    return new BodyBudget(MAX_PER_CONNECTION, this)
  }

  /** Takes bytes if there is room for them everywhere. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false
    if (this.#wider && !this.#wider.take(bytes)) return false
    this.#used += bytes
    return true
  }

  /** Gives bytes back. */
  release(bytes: number): void {
    this.#used -= bytes
    this.#wider?.release(bytes)
  }
}

/** Returns a request's body, or `undefined` when it is too long, too slow, breaks off, or there is no room for it. */
export async function readBody(
  stream: ServerHttp2Stream,
  budget: BodyBudget,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  const timer = setTimeout(() => stream.close(http2.NGHTTP2_CANCEL), BODY_TIMEOUT).unref()
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > MAX_REQUEST_LENGTH || !budget.take(chunk.length)) return undefined
      length += chunk.length
      chunks.push(chunk)
    }
    return stream.aborted ? undefined : Buffer.concat(chunks)
  } catch {
    return undefined
  } finally {
    clearTimeout(timer)
    budget.release(length)
  }
}
