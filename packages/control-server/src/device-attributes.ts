// What machines say of their device for policies to go by later, as `custom:` attributes (control §3.10). A machine's own
// word: never more than a machine may claim of itself.

import { ControlError } from './errors.ts'

/** A value. */
export type DeviceAttribute = string | number | boolean
/** Values by name, each name beginning with `custom:`. */
export type DeviceAttributes = Readonly<Record<string, DeviceAttribute>>

/** The most attributes of a node. */
const MAX_ATTRIBUTES = 64
/** The longest text. */
const MAX_TEXT = 255

/**
 * Returns attributes after an update, in which `null` takes one away. Throws {@link ControlError}
 * `ERR_CONTROL_ATTRIBUTE` for names and values that cannot be; then nothing of it counts.
 */
export function updateAttributes(before: DeviceAttributes, update: unknown): DeviceAttributes {
  if (typeof update !== 'object' || update === null || Array.isArray(update))
    throw refused('An update is an object of attributes.')
  const after = new Map(Object.entries(before))
  for (const [name, value] of Object.entries(update)) {
    if (!/^custom:[A-Za-z][A-Za-z0-9_]{0,49}$/.test(name))
      throw refused('An attribute is named custom: and then letters, digits and _, at most 50.')
    if (value === null) after.delete(name)
    else after.set(name, checked(value))
  }
  if (after.size > MAX_ATTRIBUTES) throw refused(`A node has at most ${MAX_ATTRIBUTES} attributes.`)
  return Object.fromEntries(after)
}

function checked(value: unknown): DeviceAttribute {
  if (typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value))) return value
  if (typeof value === 'string' && value.length <= MAX_TEXT && !/[\p{Cc}\p{Bidi_Control}]/u.test(value))
    return value
  throw refused(
    `A value is true, false, a whole number, or a text of at most ${MAX_TEXT} printable characters.`,
  )
}

function refused(message: string): ControlError {
  return new ControlError('ERR_CONTROL_ATTRIBUTE', message)
}
