// A request to a client's own handlers (control §3.9, "c2n"): HTTP/1.1 as text inside a ping, answered by HTTP/1.1 as text
// in the body of a POST. The answer is a machine's word: nothing in it is trusted to be what it says.

import { ControlError } from './errors.ts'

/** What a client is asked. */
export interface ClientCall {
  /** `GET` when left out. */
  readonly method?: string
  /** The path, with its query. */
  readonly path: string
  /** What to send; nothing when left out. */
  readonly body?: string
}

/** What a client answered. */
export interface ClientAnswer {
  /** The status. */
  readonly status: number
  /** The headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** The body. */
  readonly body: Uint8Array
}

/** How long a client may take, milliseconds: some handlers gather for a while. */
export const CLIENT_CALL_TIMEOUT = 30_000
/** The longest body sent, characters: it travels in a map message. */
const MAX_BODY = 256 << 10
/** The longest head of an answer, bytes. */
const MAX_HEAD = 16 << 10

/** Returns a call as the payload of a ping. Throws {@link ControlError} `ERR_CONTROL_CALL` for what is no request. */
export function encodeClientCall({ method = 'GET', path, body = '' }: ClientCall): Uint8Array {
  if (!/^[A-Z]{1,16}$/.test(method) || !/^\/[\x21-\x7e]{0,2047}$/.test(path) || body.length > MAX_BODY) {
    const message =
      'A call needs a method in capitals, a path that begins with /, and a body of at most 256 KiB.'
    throw new ControlError('ERR_CONTROL_CALL', message)
  }
  const bytes = new TextEncoder().encode(body)
  const head = [
    `${method} ${path} HTTP/1.1`,
    'Host: unused',
    `C2n-Handler-Timeout: ${CLIENT_CALL_TIMEOUT / 1000}s`,
    ...(bytes.length > 0 ? [`Content-Length: ${bytes.length}`] : []),
  ]
  return new Uint8Array([...new TextEncoder().encode(`${head.join('\r\n')}\r\n\r\n`), ...bytes])
}

/** Reads an answer, or returns `undefined` when it is none. Its body ends where the bytes end. */
export function decodeClientAnswer(bytes: Uint8Array): ClientAnswer | undefined {
  const end = headEnd(bytes)
  if (end === undefined) return undefined
  const [first = '', ...lines] = new TextDecoder('latin1').decode(bytes.subarray(0, end)).split('\r\n')
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) return undefined
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon <= 0) return undefined
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim())
  }
  return { status: Number(status), headers: Object.fromEntries(headers), body: bytes.subarray(end + 4) }
}

function headEnd(bytes: Uint8Array): number | undefined {
  const most = Math.min(bytes.length - 3, MAX_HEAD)
  for (let i = 0; i < most; i += 1)
    if (bytes[i] === 13 && bytes[i + 1] === 10 && bytes[i + 2] === 13 && bytes[i + 3] === 10) return i
  return undefined
}
