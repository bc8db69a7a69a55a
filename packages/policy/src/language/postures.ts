// `postures`: what a device has to be like (control §7.11). Each is a list of assertions, all of which must hold; a rule names
// one or several, of which one must. An assertion about an attribute that a device does not have does not hold, but `NOT SET`.
import type { PolicyText } from './document.ts'
import { meaningless } from './meaning.ts'

/** What a device says of itself, by name: `node:os`, `custom:tier`, … */
export type DevicePosture = Readonly<Record<string, string | number | boolean>>

type Value = string | number | boolean

/** Something that must hold of a device. */
export interface Assertion {
  /** The attribute's name. */
  readonly attribute: string
  /** Tells whether it holds of a device with this value, or without any. */
  readonly holds: (value: Value | undefined) => boolean
}

/** The postures of a policy, by name. */
export type Postures = ReadonlyMap<string, readonly Assertion[]>

/** What a rule asks of a source: one of several lists, all of it; nothing at all when there is no list. */
export type Required = readonly (readonly Assertion[])[]

const NAME = /^posture:[A-Za-z][A-Za-z0-9_-]{0,49}$/
const NODE_ATTRIBUTES = ['os', 'osVersion', 'tsVersion', 'tsReleaseTrack', 'tsAutoUpdate', 'tsStateEncrypted']
const CUSTOM = /^custom:[A-Za-z][A-Za-z0-9_]{0,49}$/
const ASSERTION = /^([a-z]+:\w+)\s*(==|!=|<=|>=|<|>|NOT\s+IN\b|IN\b|IS\s+SET\b|NOT\s+SET\b)\s*(.*)$/i

/** Reads the section. @throws PolicyError `ERR_POLICY_MEANING`. */
export function posturesOf({ postures = new Map<string, readonly string[]>() }: PolicyText): Postures {
  return new Map(
    Array.from(postures, ([name, lines]) => {
      if (!NAME.test(name)) throw meaningless(`postures["${name}"]: posture names must start with "posture:"`)
      if (lines.length === 0) throw meaningless(`postures["${name}"]: a posture cannot be empty`)
      return [name, lines.map((line) => assertionOf(line, name))]
    }),
  )
}

/** Returns what the postures that a rule names ask for; those of `otherwise` when it names none. */
export function requiredBy(
  words: readonly string[] | undefined,
  postures: Postures,
  otherwise: Required = [],
): Required {
  if (words === undefined || words.length === 0) return otherwise
  return words.map((word) => {
    const posture = postures.get(word)
    if (!posture) throw meaningless(`posture not found: "${word}"`)
    return posture
  })
}

/** Tells whether a device is as a rule asks. */
export function complies(device: DevicePosture | undefined, required: Required): boolean {
  if (required.length === 0) return true
  const known = new Map(Object.entries(device ?? {}))
  return required.some((all) => all.every(({ attribute, holds }) => holds(known.get(attribute))))
}

function assertionOf(line: string, name: string): Assertion {
  const why = (what: string): Error => meaningless(`postures["${name}"]: "${line}": ${what}`)
  const [, attribute = '', written = '', rest = ''] = ASSERTION.exec(line.trim()) ?? []
  if (attribute === '') throw why('not an attribute, an operator and a value')
  const isOfNode = NODE_ATTRIBUTES.some((each) => attribute === `node:${each}`)
  if (!isOfNode && !CUSTOM.test(attribute)) throw why(`attribute ${attribute} is not known here`)
  const operator = written.toUpperCase().replace(/\s+/, ' ')
  const values = operator.endsWith('SET') ? [] : valuesOf(rest, operator.endsWith('IN'))
  if (!values || (operator.endsWith('SET') && rest !== '')) throw why('the value cannot be read')
  if (/[<>]/.test(operator) && typeof values[0] === 'boolean') throw why('true and false have no order')
  return { attribute, holds: (value) => judge(operator, value, values) }
}

function valuesOf(text: string, isList: boolean): readonly Value[] | undefined {
  const inside = isList ? /^\[(.*)\]$/.exec(text)?.[1] : text
  if (inside === undefined) return undefined
  const words = inside.match(/'[^']*'|"[^"]*"|[^,\s]+/g) ?? []
  const isSeparated = inside.replaceAll(/'[^']*'|"[^"]*"|[^,\s]+/g, '').replaceAll(/\s/g, '')
  if (isSeparated.length !== Math.max(0, words.length - 1)) return undefined
  const values = words.map(valueOf)
  if (values.includes(undefined) || (isList ? values.length === 0 : values.length !== 1)) return undefined
  return values.filter((value) => value !== undefined)
}

function valueOf(word: string): Value | undefined {
  if (/^['"]/.test(word)) return word.slice(1, -1)
  if (word === 'true' || word === 'false') return word === 'true'
  return /^-?\d{1,15}$/.test(word) ? Number(word) : undefined
}

function judge(operator: string, value: Value | undefined, values: readonly Value[]): boolean {
  if (operator === 'NOT SET') return value === undefined
  if (value === undefined) return false
  switch (operator) {
    case 'IS SET':
      return true
    case 'IN':
    case '==':
      return values.includes(value)
    case 'NOT IN':
    case '!=':
      return !values.includes(value)
    default:
      return isInOrder(operator, compare(value, values[0]))
  }
}

function isInOrder(operator: string, order: number | undefined): boolean {
  if (order === undefined) return false
  if (order === 0) return operator.endsWith('=')
  return operator.startsWith('<') === order < 0
}

/** Numbers by their size, texts as versions; nothing else has an order. */
function compare(a: Value, b: Value | undefined): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a !== 'string' || typeof b !== 'string') return undefined
  const [left, right] = [a, b].map((text) => text.split(/[.\-_+ ]/).map(Number)) as [number[], number[]]
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (Number.isNaN(difference)) return undefined
    if (difference !== 0) return difference
  }
  return 0
}
