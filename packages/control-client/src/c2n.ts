// Control asking the node something (control protocol §3.9): an HTTP/1.1 request in base64, to be answered with a
// serialised HTTP/1.1 response. `/echo` is answered here, so that every node shows that it is there; the rest is for the
// owner of the node to know.

import { decodeBase64 } from './base64.ts'

const LINE_END = '\r\n'
const HEAD_END = '\r\n\r\n'

/** The longest question that is read, characters; a longer one is cut, and so damaged. */
const MAX_QUESTION = 64 << 10

/** A request of control to the node's own handlers. */
export interface ControlCall {
  /** `GET`, `POST`, … */
  readonly method: string
  /** The path, without its query. */
  readonly path: string
  /** What follows the `?`; empty without one. */
  readonly query: string
  /** The body. */
  readonly body: Uint8Array
}

/** What a call is answered. */
export interface CallAnswer {
  /** The status. */
  readonly status: 200 | 400 | 405 | 501
  /** The media type; plain text when left out. */
  readonly type?: string
  /** The body. */
  readonly body: string | Uint8Array
}

/** Answers a call; `undefined` when there is no such path. Must not wait, nor throw. */
export type AnswerCall = (call: ControlCall) => CallAnswer | undefined

const REASONS = { 200: 'OK', 400: 'Bad Request', 405: 'Method Not Allowed', 501: 'Not Implemented' } as const

/** Returns the response, serialised, to the HTTP/1.x request that `payload` holds in base64. */
export function answerControlQuestion(payload: string, answer: AnswerCall = () => undefined): Uint8Array {
  const call = readCall(decodeBase64(payload.slice(0, MAX_QUESTION)) ?? new Uint8Array(0))
  if (call === undefined) return respond({ status: 400, body: 'bad request\n' })
  if (call.path === '/echo') return respond({ status: 200, body: call.body })
  return respond(answer(call) ?? { status: 400, body: 'unknown c2n path\n' })
}

function readCall(payload: Uint8Array): ControlCall | undefined {
  const headEnd = indexOf(payload, HEAD_END)
  if (headEnd < 0) return undefined
  const head = String.fromCharCode(...payload.subarray(0, Math.min(headEnd, 8192)))
  const match = /^([A-Z]{1,16}) (\/[\x21-\x7e]{0,2048}) HTTP\/1\.[01]$/.exec(head.split(LINE_END)[0] ?? '')
  if (match === null) return undefined
  const [, method = '', target = ''] = match
  const [path = '', ...query] = target.split('?')
  return { method, path, query: query.join('?'), body: payload.subarray(headEnd + HEAD_END.length) }
}

function respond({ status, type = 'text/plain', body }: CallAnswer): Uint8Array {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const lines = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    `Content-Type: ${type}`,
    `Content-Length: ${bytes.length}`,
  ]
  const head = new TextEncoder().encode(lines.join(LINE_END) + HEAD_END)
  const response = new Uint8Array(head.length + bytes.length)
  response.set(head)
  response.set(bytes, head.length)
  return response
}

function indexOf(bytes: Uint8Array, text: string): number {
  for (let i = 0; i + text.length <= bytes.length; i += 1) {
    let k = 0
    while (k < text.length && bytes[i + k] === text.charCodeAt(k)) k += 1
    if (k === text.length) return i
  }
  return -1
}
