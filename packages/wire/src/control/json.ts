// Between bytes and JSON, with the habits of Go's encoder in mind: keys of `__proto__` never survive, times are
// text whose year 1 means "not set", and a zero key stands for "none".

import type { JsonDecoder } from './schema.ts'

/** The text of Go's zero time, which stands for "not set". */
export const ZERO_TIME = '0001-01-01T00:00:00Z'

const decoder = new TextDecoder('utf-8', { fatal: true })
const encoder = new TextEncoder()

/**
 * Returns the value the bytes spell, or `undefined` when they are not UTF-8 JSON. Any key named `__proto__` is
 * dropped, at every depth.
 */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    const source = decoder.decode(bytes)
    return MAY_HIDE_PROTO.test(source) ? JSON.parse(source, withoutProto) : JSON.parse(source)
  } catch {
    return undefined
  }
}

/** Returns what `decode` makes of the JSON in `bytes`, or `undefined` when either refuses. */
export function decodeJson<T>(bytes: Uint8Array, decode: JsonDecoder<T>): T | undefined {
  return decode(parseJson(bytes))
}

/** Returns `value` as UTF-8 JSON; fields that are `undefined` are left out. */
export function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value))
}

/**
 * Returns a Go time as milliseconds since 1970, or `undefined` for a missing, malformed or zero one. Fractions
 * below a millisecond are cut off.
 */
export function parseTime(time: string | undefined): number | undefined {
  if (time === undefined || !RFC3339.test(time)) return undefined
  const milliseconds = Date.parse(time)
  return Number.isNaN(milliseconds) || milliseconds <= ZERO_MILLISECONDS ? undefined : milliseconds
}

/** Returns milliseconds since 1970 as a Go time in UTC; `undefined` gives {@link ZERO_TIME}. */
export function formatTime(milliseconds: number | undefined): string {
  return milliseconds === undefined ? ZERO_TIME : new Date(milliseconds).toISOString()
}

/** Returns whether a key in text form is absent or all zeros, which is how Go writes "no key". */
export function isZeroKey(key: string | undefined): boolean {
  return key === undefined || ZERO_KEY.test(key)
}

const MAY_HIDE_PROTO = /__proto__|\\u/
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
const ZERO_KEY = /^[a-z]*:?0*$/
const ZERO_MILLISECONDS = Date.parse(ZERO_TIME)

function withoutProto(key: string, value: unknown): unknown {
  return key === '__proto__' ? undefined : value
}
