// Passes DNS queries for names outside the mesh on to the resolvers that control named: over UDP, all at once, and the
// first good answer wins (data-plane.md section 8.9). DNS over HTTPS is not spoken.
import { createSocket } from 'node:dgram'
import { type Endpoint, formatAddress, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import type { ForwardQuery } from '../service-address.ts'

const DNS_PORT = 53
/** Milliseconds that all resolvers together have. */
const PATIENCE = 5000
/** Bytes before which a message has no header. */
const HEADER = 12
const RESPONSE_CODE = 3
/** Answers that say that this resolver cannot help; another might. */
const SOFT_FAILURES = new Set([2, 5])

/** Asks all resolvers, and returns the first good answer; else a bad one; else nothing. */
export const forwardQuery: ForwardQuery = (query, resolvers) => {
  const places = resolvers.map(parseResolver).filter((place) => place !== undefined)
  if (places.length === 0 || query.length < HEADER) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    let fallback: Uint8Array | undefined
    let waiting = places.length
    const closers = places.map((place) =>
      askOne(query, place, (answer) => {
        waiting -= 1
        const good = answer !== undefined && !SOFT_FAILURES.has((answer[RESPONSE_CODE] ?? 0) & 15)
        fallback ??= answer
        if (good) end(answer)
        else if (waiting === 0) end(fallback)
      }),
    )
    const timer = setTimeout(() => end(fallback), PATIENCE)
    const end = (answer: Uint8Array | undefined): void => {
      clearTimeout(timer)
      for (const close of closers) close()
      resolve(answer)
    }
  })
}

/** Returns the place of a resolver given as an address, with or without a port; other forms are not spoken. */
function parseResolver(text: string): Endpoint | undefined {
  const address = parseAddress(text)
  const place = address ? { address, port: DNS_PORT } : parseEndpoint(text)
  return place?.port === 0 ? undefined : place
}

/** A socket of its own for each query: its random port is one more thing a forger must guess. */
function askOne(
  query: Uint8Array,
  place: Endpoint,
  answered: (answer: Uint8Array | undefined) => void,
): () => void {
  const socket = createSocket(place.address.length === 4 ? 'udp4' : 'udp6')
  let closed = false
  const close = (): void => {
    if (closed) return
    closed = true
    socket.close()
  }
  const settle = (answer: Uint8Array | undefined): void => {
    if (closed) return
    close()
    answered(answer)
  }
  socket.on('error', () => settle(undefined))
  // A connected socket hears its resolver alone. Without a route there it does not come to that.
  socket.connect(place.port, formatAddress(place.address), (failure?: Error) => {
    if (failure) settle(undefined)
    else if (!closed) socket.send(query)
  })
  socket.on('message', (answer) => {
    if (answer.length >= HEADER && answer[0] === query[0] && answer[1] === query[1])
      settle(new Uint8Array(answer))
  })
  return close
}
