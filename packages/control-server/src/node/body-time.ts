// How long the body of a request may take outside Noise. A stranger's is short, and must be whole in time; an
// administrator's may be a whole network over a slow line, and must only go on.

import type { IncomingMessage } from 'node:http'

/** Time for a whole body of a stranger, and for the next piece of an administrator's, milliseconds. */
const BODY_TIMEOUT = 10_000

/** Hangs up on a request whose body is not whole in time. */
export function limitBody(request: IncomingMessage): void {
  const timer = setTimeout(() => {
    if (!request.complete) request.destroy()
  }, BODY_TIMEOUT)
  timer.unref()
  request.on('close', () => clearTimeout(timer))
}

/** Returns the pieces of a body as they come; hangs up when the next one does not. */
export async function* piecesOf(request: IncomingMessage): AsyncIterable<Uint8Array> {
  const giveUp = (): void => void request.destroy()
  let timer = setTimeout(giveUp, BODY_TIMEOUT)
  try {
    // Who has had enough still wants to say so.
    for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer)
      timer = setTimeout(giveUp, BODY_TIMEOUT)
      yield piece
    }
  } finally {
    clearTimeout(timer)
  }
}
