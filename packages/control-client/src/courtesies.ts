// The small things control may ask for beside the map: an answer to a ping, a page to be opened. Each is asked
// for in every message until the server forgets it, so the same one is not done twice.
import type { MapResponse, PingRequest } from '@mesh/wire/control'
import { type AnswerCall, answerControlQuestion } from './c2n.ts'
import { isVisitable } from './login.ts'

/** One thing to do for control. */
export type Courtesy =
  /** POST `body` to `path` inside the control connection. */
  | { readonly kind: 'reply'; readonly path: string; readonly body: Uint8Array }
  /** `HEAD` this address outside the control connection. */
  | { readonly kind: 'head'; readonly url: string }
  /** A ping that only the owner of the node can make. */
  | { readonly kind: 'ping'; readonly request: PingRequest }
  /** A page for the person. */
  | { readonly kind: 'browse'; readonly url: string }

/** Remembers what was asked last. */
export class Courtesies {
  readonly #allowHttp: boolean
  readonly #answer: AnswerCall | undefined
  #lastPing = ''
  #lastPage = ''

  /**
   * @param allowHttp - Whether addresses may be plain http: only when control itself is.
   * @param answer - Answers calls beside `/echo`.
   */
  constructor(allowHttp: boolean, answer?: AnswerCall) {
    this.#allowHttp = allowHttp
    this.#answer = answer
  }

  /** Returns what a message asks for that was not asked for before. */
  take(response: MapResponse): readonly Courtesy[] {
    const found: Courtesy[] = []
    const { PingRequest: ping, PopBrowserURL: page } = response
    if (ping !== undefined && ping.URL !== '' && ping.URL !== this.#lastPing) {
      this.#lastPing = ping.URL
      const courtesy = this.#ping(ping)
      if (courtesy !== undefined) found.push(courtesy)
    }
    if (page && page !== this.#lastPage && isVisitable(page, this.#allowHttp)) {
      this.#lastPage = page
      found.push({ kind: 'browse', url: page })
    }
    return found
  }

  #ping(request: PingRequest): Courtesy | undefined {
    if (request.Types === 'c2n') {
      const path = pathOf(request.URL)
      if (path === undefined || request.Payload === undefined) return undefined
      return { kind: 'reply', path, body: answerControlQuestion(request.Payload, this.#answer) }
    }
    if (request.Types || request.URLIsNoise === true) return { kind: 'ping', request }
    return isVisitable(request.URL, this.#allowHttp) ? { kind: 'head', url: request.URL } : undefined
  }
}

/** Returns the path and query of a https address, whose host does not matter inside the control connection. */
function pathOf(url: string): string | undefined {
  return /^https:\/\/[^/?#\s]*(\/[\x21-\x7e]*)$/.exec(url)?.[1]
}
