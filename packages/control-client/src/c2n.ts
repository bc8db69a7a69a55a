// Control asking the node something (control protocol §3.9): an HTTP/1.1 request in base64, to be answered with a
// serialised HTTP/1.1 response. Only `/echo` is known yet; everything else is politely not found.

import { decodeBase64 } from './base64.ts'

const LINE_END = '\r\n'
const HEAD_END = '\r\n\r\n'

/** The longest question that is read, characters; a longer one is cut, and so damaged. */
const MAX_QUESTION = 64 << 10

/** Returns the response, serialised, to the HTTP/1.x request that `payload` holds in base64. */
export function answerControlQuestion(payload: string): Uint8Array {
  const question = readQuestion(decodeBase64(payload.slice(0, MAX_QUESTION)) ?? new Uint8Array(0))
  if (question === undefined) return respond('400 Bad Request', new TextEncoder().encode('bad request\n'))
  if (question.path === '/echo') return respond('200 OK', question.body)
  return respond('404 Not Found', new TextEncoder().encode('unknown path\n'))
}

interface Question {
  readonly path: string
  readonly body: Uint8Array
}

function readQuestion(payload: Uint8Array): Question | undefined {
  const headEnd = indexOf(payload, HEAD_END)
  if (headEnd < 0) return undefined
  const head = String.fromCharCode(...payload.subarray(0, Math.min(headEnd, 8192)))
  const match = /^[A-Z]{1,16} (\/[\x21-\x7e]{0,2048}) HTTP\/1\.[01]$/.exec(head.split(LINE_END)[0] ?? '')
  if (match === null) return undefined
  const [path = ''] = (match[1] ?? '').split('?')
  return { path, body: payload.subarray(headEnd + HEAD_END.length) }
}

function respond(status: string, body: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(
    [`HTTP/1.1 ${status}`, 'Content-Type: text/plain', `Content-Length: ${body.length}`, '', ''].join(
      LINE_END,
    ),
  )
  const response = new Uint8Array(head.length + body.length)
  response.set(head)
  response.set(body, head.length)
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
