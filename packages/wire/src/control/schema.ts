// The small vocabulary the decoders of this folder are written in. A decoder takes what `JSON.parse` made and
// returns a fresh, checked object, or `undefined`; it copies only fields it knows, so a stranger's `__proto__`,
// or a field of the wrong kind, never gets past it. As in Go, `null` and absent mean the same wherever `null`
// has no meaning of its own.

/** Reads one parsed JSON value: the checked value, or `undefined` when it is not of the expected shape. */
export type JsonDecoder<T> = (value: unknown) => T | undefined

/** A field that may be missing. */
interface OptionalField<T> {
  readonly decode: JsonDecoder<T>
  readonly missing: 'skip'
}

/** A field that always ends up set: refused when missing, or filled in. */
interface FilledField<T> {
  readonly decode: JsonDecoder<T>
  readonly missing: 'refuse' | 'fill'
  readonly fallback?: T
}

type FieldOf<T, K extends keyof T> =
  object extends Pick<T, K> ? OptionalField<Exclude<T[K], undefined>> : FilledField<T[K]>

type Fields<T> = { readonly [K in keyof T]-?: FieldOf<T, K> }

interface AnyField {
  readonly decode: JsonDecoder<unknown>
  readonly missing: 'skip' | 'refuse' | 'fill'
  readonly fallback?: unknown
}

/** Returns a field that is left out when missing or `null`. */
export function optional<T>(decode: JsonDecoder<T>): OptionalField<T> {
  return { decode, missing: 'skip' }
}

/** Returns a field without which the whole object is refused. */
export function required<T>(decode: JsonDecoder<T>): FilledField<T> {
  return { decode, missing: 'refuse' }
}

/** Returns a field that takes `fallback` when missing or `null`, as a Go zero value would. */
export function filled<T>(decode: JsonDecoder<T>, fallback: T): FilledField<T> {
  return { decode, missing: 'fill', fallback }
}

/** Returns a decoder for an object with exactly these fields; unknown ones are left behind. */
export function object<T extends object>(fields: Fields<T>): JsonDecoder<T> {
  const entries = Object.entries(fields) as [string, AnyField][]
  return (value) => {
    if (!isRecord(value)) return undefined
    const result: Record<string, unknown> = {}
    for (const [name, field] of entries) {
      const raw = Object.hasOwn(value, name) ? value[name] : undefined
      const decoded = raw === undefined ? undefined : field.decode(raw)
      if (decoded !== undefined) result[name] = decoded
      else if (raw !== undefined && raw !== null) return undefined
      else if (field.missing === 'fill') result[name] = field.fallback
      else if (field.missing === 'refuse') return undefined
    }
    return result as T
  }
}

/** Returns a decoder for an array whose every element decodes. */
export function list<T>(decode: JsonDecoder<T>): JsonDecoder<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value)) return undefined
    const result: T[] = []
    for (const element of value) {
      const decoded = decode(element)
      if (decoded === undefined) return undefined
      result.push(decoded)
    }
    return result
  }
}

/** Returns a decoder for an object keyed by free names. The result has no prototype, so any name is only data. */
export function dictionary<T>(decode: JsonDecoder<T>): JsonDecoder<Readonly<Record<string, T>>> {
  return (value) => {
    if (!isRecord(value)) return undefined
    const result = Object.create(null) as Record<string, T>
    for (const [name, raw] of Object.entries(value)) {
      if (name === '__proto__') continue
      const decoded = decode(raw)
      if (decoded === undefined) return undefined
      result[name] = decoded
    }
    return result
  }
}

/** Returns a decoder that lets `null` stand for itself. */
export function nullable<T>(decode: JsonDecoder<T>): JsonDecoder<T | null> {
  return (value) => (value === null ? null : decode(value))
}

/** Reads a string. */
export const text: JsonDecoder<string> = (value) => (typeof value === 'string' ? value : undefined)

/** Reads a boolean. */
export const bool: JsonDecoder<boolean> = (value) => (typeof value === 'boolean' ? value : undefined)

/** Reads a whole number that a double holds exactly. */
export const int: JsonDecoder<number> = (value) =>
  Number.isSafeInteger(value) ? (value as number) : undefined

/** Reads an identifier: a whole number above zero. */
export const id: JsonDecoder<number> = (value) => {
  const number = int(value)
  return number !== undefined && number > 0 ? number : undefined
}

/** Reads any finite number. */
export const float: JsonDecoder<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined

/**
 * Takes any JSON value that is not nested absurdly deep: it will be written again and compared, which takes a stack as
 * deep as the value (threat 34).
 */
export const anything: JsonDecoder<unknown> = (value) => (isWithinDepth(value, MAX_DEPTH) ? value : undefined)

/** How deep a value without a shape of its own may be nested; what is sent has two or three levels. */
const MAX_DEPTH = 32

function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  return depth > 0 && Object.values(value).every((part) => isWithinDepth(part, depth - 1))
}

/** Returns a decoder for `prefix` and 64 hexadecimal digits, returned in lower case. */
export function keyText<P extends string>(prefix: P): JsonDecoder<`${P}${string}`> {
  return (value) => {
    if (typeof value !== 'string' || !value.startsWith(prefix)) return undefined
    const digits = value.slice(prefix.length)
    return HEX_KEY.test(digits) ? `${prefix}${digits.toLowerCase()}` : undefined
  }
}

const HEX_KEY = /^[0-9a-fA-F]{64}$/

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
