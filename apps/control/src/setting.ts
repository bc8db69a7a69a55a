// One thing the program can be told: by a flag, by the environment, or in a file. All three have the same name, and the
// same reader.

import { InvalidArgumentError, Option } from 'commander'
import { CommandError } from './command-error.ts'
import { truth } from './flag-values.ts'

/** A setting. */
export interface Setting {
  /** Its name in the file; the flag has `--` before it, the environment `MESH_CONTROL_`, in capitals and underscores. */
  readonly key: string
  /** A letter for the flag. */
  readonly letter?: string
  /** What stands behind the flag, as `address`; a switch has nothing. */
  readonly value?: string
  /** Whether no complaint may show what was written: a password may be in it. */
  readonly secret?: boolean
  /** Whether a switch never takes a value: that of a verb whose words it would swallow. */
  readonly bare?: boolean
  /** What it means, in words. */
  readonly help: string
  /** Reads the text, or throws `InvalidArgumentError`; text is taken as it is when left out. */
  readonly read?: (text: string) => unknown
  /** What it is when nobody says anything, as text. */
  readonly otherwise?: string
  /** {@link otherwise} in words, where it depends on the machine. */
  readonly otherwiseMeans?: string
  /** Whether there may be several: repeated flags, a list in a file, spaces between them in the environment. */
  readonly many?: boolean
}

/** Settings under one heading. */
export interface SettingGroup {
  readonly heading: string
  readonly settings: readonly Setting[]
}

/** Returns a setting's name in the environment. */
export function variableOf({ key }: Setting): string {
  return `MESH_CONTROL_${key.toUpperCase().replaceAll('-', '_')}`
}

/** Returns a setting as it is written behind the program's name. */
export function usageOf({ key, letter, value, bare }: Setting): string {
  const flag = `--${key}${value === undefined ? (bare ? '' : ' [bool]') : ` <${value}>`}`
  return letter === undefined ? flag : `-${letter}, ${flag}`
}

/** Returns what a setting means, with what it is when nobody says anything. */
export function helpOf({ help, otherwise, many }: Setting): string {
  const notes = [
    ...(many ? ['repeatable'] : []),
    ...(otherwise === undefined ? [] : [`default: ${otherwise}`]),
  ]
  return notes.length === 0 ? help : `${help} (${notes.join('; ')})`
}

/** Reads one text of a setting. */
export function readSetting({ value, read }: Setting, text: string): unknown {
  if (value === undefined) return truth(text)
  return read === undefined ? text : read(text)
}

/** Returns the flag of a setting. */
export function flagOf(setting: Setting): Option {
  const { value, many, bare, otherwise } = setting
  const option = new Option(usageOf(setting), `${helpOf(setting)} (env: ${variableOf(setting)})`)
  if (bare) return option
  if (value === undefined) option.preset('true')
  option.argParser((text: string, before: unknown) => {
    const read = setting.secret ? readSecret(setting, text) : readSetting(setting, text)
    return many ? [...(before as readonly unknown[]), read] : read
  })
  if (many) option.default([])
  else if (otherwise !== undefined) option.default(readSetting(setting, otherwise))
  return option
}

/** The parser of the command line would show the text. */
function readSecret(setting: Setting, text: string): unknown {
  try {
    return readSetting(setting, text)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    throw new CommandError(`--${setting.key}: ${error.message}`)
  }
}
