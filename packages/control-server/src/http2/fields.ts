// What a request's headers say to a server that goes by method and path alone, and the headers of its answers.

import { FLAG, FRAME, frame } from './frames.ts'
import type { Field } from './hpack.ts'

const PSEUDO = [':method', ':path', ':scheme', ':authority']
/** What belongs to a connection of HTTP/1 alone. */
const HOP = ['connection', 'proxy-connection', 'keep-alive', 'transfer-encoding', 'upgrade']

/** What a request's headers say. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** How many bytes its body has, if it says so. */
  readonly length: number | undefined
}

/** Returns what a request's headers say, or `undefined` when it is malformed (RFC 9113 §8.1.1, §8.2, §8.3). */
export function readRequest(fields: readonly Field[]): RequestHead | undefined {
  const said = new Map<string, string>()
  let isOver = false
  let length: number | undefined
  for (const [name, value] of fields) {
    if (name.startsWith(':')) {
      if (isOver || said.has(name) || !PSEUDO.includes(name)) return undefined
      said.set(name, value)
      continue
    }
    if (!isRegular(name, value)) return undefined
    isOver = true
    if (name !== 'content-length') continue
    if (length !== undefined || !/^\d{1,15}$/.test(value)) return undefined
    length = Number(value)
  }
  const method = said.get(':method')
  const path = said.get(':path')
  return method !== undefined && path && said.has(':scheme') ? { method, path, length } : undefined
}

/** Tells whether fields may stand behind a body (RFC 9113 §8.1). */
export function areTrailers(fields: readonly Field[]): boolean {
  return fields.every(([name, value]) => isRegular(name, value))
}

function isRegular(name: string, value: string): boolean {
  if (name === 'te') return value === 'trailers'
  return /^[!-9;-@[-~]+$/.test(name) && !HOP.includes(name)
}

/** Indices in the static table (RFC 7541 appendix A). */
const STATUS_200 = 8
const CONTENT_TYPE = 31
const RETRY_AFTER = 53
/** Makes the table of packed headers empty, which it always is here. */
const NO_TABLE = 0x20

/**
 * Returns the HEADERS frame that begins an answer; `dropTable` puts in front of it that no table is used.
 *
 * @param retryAfter - When to ask again, seconds.
 */
export function headersFrame(
  stream: number,
  status: number,
  contentType: string,
  dropTable: boolean,
  retryAfter?: number,
): Uint8Array {
  const code = status === 200 ? [0x80 | STATUS_200] : [STATUS_200, ...text(String(status))]
  const type = field(CONTENT_TYPE, contentType)
  const again = retryAfter === undefined ? [] : field(RETRY_AFTER, String(retryAfter))
  const block = Uint8Array.from([...(dropTable ? [NO_TABLE] : []), ...code, ...type, ...again])
  return frame(FRAME.headers, FLAG.endHeaders, stream, block)
}

/** A header whose index does not fit four bits: 15, and what is left. */
function field(index: number, value: string): number[] {
  return [0x0f, index - 15, ...text(value)]
}

/** A text of fewer than 127 characters, as it is. */
function text(value: string): number[] {
  return [value.length, ...Array.from(value, (char) => char.charCodeAt(0))]
}
