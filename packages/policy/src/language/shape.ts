// Takes HuJSON apart by kinds. Names of fields are read without regard to case, as the original does; a field nobody
// knows is an error, because a policy that is half understood is worse than none; one given twice too.
import { getNodeValue } from 'jsonc-parser'
import type { HuJson, Json } from './hujson.ts'

/** Reads a value of one kind. */
export type Shape<T> = (json: Json, source: HuJson) => T

/** Text. */
export const text: Shape<string> = (json, source) => {
  if (json.type !== 'string') throw source.error('text is wanted here', json)
  return json.value as string
}

/** True or false. */
export const bool: Shape<boolean> = (json, source) => {
  if (json.type !== 'boolean') throw source.error('true or false is wanted here', json)
  return json.value as boolean
}

/** Text, a number, true or false. */
export const scalar: Shape<string | number | boolean> = (json, source) => {
  if (json.type !== 'string' && json.type !== 'number' && json.type !== 'boolean')
    throw source.error('text, a number, true or false is wanted here', json)
  return json.value as string | number | boolean
}

/** Any value, as plain data. */
export const anything: Shape<unknown> = (json) => getNodeValue(json) as unknown

/** An object, passed on as plain data. */
export const plainObject: Shape<Readonly<Record<string, unknown>>> = (json, source) => {
  if (json.type !== 'object') throw source.error('an object is wanted here', json)
  return getNodeValue(json) as Readonly<Record<string, unknown>>
}

/** A list; `null` counts as none. */
export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  return (json, source) => {
    if (json.type === 'null') return []
    if (json.type !== 'array') throw source.error('a list is wanted here', json)
    return (json.children ?? []).map((each) => item(each, source))
  }
}

/** Names and values of one kind. */
export function dictionary<T>(value: Shape<T>): Shape<ReadonlyMap<string, T>> {
  return (json, source) => {
    const entries = new Map<string, T>()
    for (const [name, each] of properties(json, source)) {
      if (entries.has(name)) throw source.error(`"${name}" stands here twice`, each)
      entries.set(name, value(each, source))
    }
    return entries
  }
}

/** The fields of an object: those left out are `undefined`, and `null` counts as left out. */
export type Fields = Readonly<Record<string, Shape<unknown>>>
/** What {@link fields} reads. */
export type Read<F extends Fields> = { readonly [K in keyof F]?: ReturnType<F[K]> }

/** An object of known fields. One whose name begins with `#` is a remark. */
export function fields<const F extends Fields>(known: F): Shape<Read<F>> {
  const byLowerCase = new Map(Object.keys(known).map((name) => [name.toLowerCase(), name]))
  return (json, source) => {
    const read = new Map<string, unknown>()
    for (const [name, value] of properties(json, source)) {
      if (name.startsWith('#')) continue
      const field = byLowerCase.get(name.toLowerCase())
      const shape = field === undefined ? undefined : known[field]
      if (field === undefined || shape === undefined) throw source.error(`unknown field "${name}"`, value)
      if (read.has(field)) throw source.error(`"${name}" stands here twice`, value)
      read.set(field, value.type === 'null' ? undefined : shape(value, source))
    }
    return Object.fromEntries(read) as Read<F>
  }
}

function* properties(json: Json, source: HuJson): Generator<[string, Json]> {
  if (json.type !== 'object') throw source.error('an object is wanted here', json)
  for (const property of json.children ?? []) {
    const [name, value] = property.children ?? []
    if (name && value) yield [name.value as string, value]
  }
}
