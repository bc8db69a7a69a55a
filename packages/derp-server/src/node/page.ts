// A page: what a web server asks and answers, as plain values, so that the one who knows the answer may be another thread.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'

/** What is asked for. */
export interface PageRequest {
  readonly method: string
  /** The request's target, with the query. */
  readonly url: string
  readonly headers: Readonly<IncomingHttpHeaders>
  /** The client's address as the socket says it, without the port; empty when unknown. */
  readonly source: string
}

/** What is answered. */
export interface PageAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** The body; empty unless given. */
  readonly body?: string
}

/** Who knows the answers. */
export type PageSource = (request: PageRequest) => PageAnswer | Promise<PageAnswer>

/** Asks `pages` and writes what it answers; 503 when it fails. */
export async function answerPage(
  pages: PageSource,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let answer: PageAnswer
  try {
    answer = await pages(pageRequestOf(request))
  } catch {
    answer = { status: 503 }
  }
  writePage(request, response, answer)
}

// Its body stays where it is.
function pageRequestOf(request: IncomingMessage): PageRequest {
  const { method = 'GET', url = '/', headers, socket } = request
  return { method, url, headers: { ...headers }, source: socket.remoteAddress ?? '' }
}

// Whoever is still uploading is hung up on.
function writePage(request: IncomingMessage, response: ServerResponse, answer: PageAnswer): void {
  const uploads = request.headers['content-length'] !== undefined || 'transfer-encoding' in request.headers
  response.writeHead(answer.status, { ...answer.headers, ...(uploads ? { Connection: 'close' } : {}) })
  response.end(answer.body ?? '')
}
