// Passes DNS queries for names outside the mesh on to the resolvers that control named: over UDP, for who asked over TCP over
// both, all at once, and the first good answer wins (data-plane.md section 8.9). DNS over HTTPS is not spoken.
import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { frameMessage, MessageReader } from '@mesh/dns'
import { type Endpoint, formatAddress, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import type { DnsTransport, ForwardQuery } from '../service-address.ts'

const DNS_PORT = 53
/** Milliseconds that all resolvers together have. */
const PATIENCE = 5000
/** Bytes before which a message has no header. */
const HEADER = 12
const FLAGS_HIGH = 2
const FLAG_TRUNCATED = 2
const RESPONSE_CODE = 3
/** Answers that say that this resolver cannot help; another might. */
const SOFT_FAILURES = new Set([2, 5])

/** Asks one resolver; calls `answered` once, with nothing when it has no answer, and returns what breaks it off. */
type Ask = (
  query: Uint8Array,
  place: Endpoint,
  answered: (answer: Uint8Array | undefined) => void,
) => () => void

/** Many a resolver speaks no TCP, and the answer may well fit. */
const WAYS: Readonly<Record<DnsTransport, readonly Ask[]>> = {
  udp: [askOverUdp],
  tcp: [askOverTcp, askOverUdp],
}

/** Asks all resolvers, and returns the first good answer; else a bad one; else nothing. */
export const forwardQuery: ForwardQuery = (query, resolvers, transport) => {
  const places = resolvers.map(parseResolver).filter((place) => place !== undefined)
  if (places.length === 0 || query.length < HEADER) return Promise.resolve(undefined)
  const attempts = places.flatMap((place) => WAYS[transport].map((ask) => ({ ask, place })))
  return new Promise((resolve) => {
    let fallback: Uint8Array | undefined
    let waiting = attempts.length
    const closers = attempts.map(({ ask, place }) =>
      ask(query, place, (answer) => {
        waiting -= 1
        fallback ??= answer
        if (answer && isGood(answer, transport)) end(answer)
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

/** Who asked over UDP is told that the answer was cut short, and asks again; who asked over TCP has nowhere to go. */
function isGood(answer: Uint8Array, transport: DnsTransport): boolean {
  if (transport === 'tcp' && (answer[FLAGS_HIGH] ?? 0) & FLAG_TRUNCATED) return false
  return !SOFT_FAILURES.has((answer[RESPONSE_CODE] ?? 0) & 15)
}

/** Returns the place of a resolver given as an address, with or without a port; other forms are not spoken. */
function parseResolver(text: string): Endpoint | undefined {
  const address = parseAddress(text)
  const place = address ? { address, port: DNS_PORT } : parseEndpoint(text)
  return place?.port === 0 ? undefined : place
}

/** A socket of its own for each query: its random port is one more thing a forger must guess. */
function askOverUdp(...[query, place, answered]: Parameters<Ask>): () => void {
  const socket = createSocket(place.address.length === 4 ? 'udp4' : 'udp6')
  const { settle, close, isClosed } = once(answered, () => socket.close())
  socket.on('error', () => settle(undefined))
  // A connected socket hears its resolver alone. Without a route there it does not come to that.
  socket.connect(place.port, formatAddress(place.address), (failure?: Error) => {
    if (failure) settle(undefined)
    else if (!isClosed()) socket.send(query)
  })
  socket.on('message', (answer) => {
    if (isAnswerTo(query, answer)) settle(new Uint8Array(answer))
  })
  return close
}

function askOverTcp(...[query, place, answered]: Parameters<Ask>): () => void {
  const socket = connect({ host: formatAddress(place.address), port: place.port })
  const { settle, close } = once(answered, () => socket.destroy())
  const reader = new MessageReader()
  socket.on('error', () => settle(undefined))
  socket.on('close', () => settle(undefined))
  socket.on('data', (bytes: Uint8Array) => {
    reader.push(bytes)
    const answer = reader.next()
    if (answer) settle(isAnswerTo(query, answer) ? answer.slice() : undefined)
  })
  socket.write(frameMessage(query))
  return close
}

function isAnswerTo(query: Uint8Array, answer: Uint8Array): boolean {
  return answer.length >= HEADER && answer[0] === query[0] && answer[1] === query[1]
}

/** Lets one answer through, and none after the close; `release` lets go of the socket, once. */
function once(answered: Parameters<Ask>[2], release: () => void) {
  let closed = false
  const close = (): void => {
    if (closed) return
    closed = true
    release()
  }
  const settle = (answer: Uint8Array | undefined): void => {
    if (closed) return
    close()
    answered(answer)
  }
  return { settle, close, isClosed: () => closed }
}
