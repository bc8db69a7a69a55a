// Completes what the command line leaves open: first from the environment, then from the file. The command line wins.

import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { CommandError } from './command-error.ts'
import { flagOf, readSetting, type Setting, variableOf } from './setting.ts'
import { type Entry, readSettingsFile } from './settings-file.ts'
import { CLIENT_SETTINGS, CONFIG, SERVE_SETTINGS } from './settings-table.ts'

const KNOWN = new Map(
  [...SERVE_SETTINGS.flatMap(({ settings }) => settings), ...CLIENT_SETTINGS]
    .filter(({ key }) => key !== CONFIG.key)
    .map((setting) => [setting.key, setting]),
)

type Text = { readonly text: string; readonly where: string }

/**
 * Sets the options of a verb that its command line leaves open.
 *
 * @param settings - What the verb can be told. Others may be in the file all the same: it is everybody's.
 * @throws CommandError with everything that is wrong, a line each.
 */
export function applySettings(
  verb: Command,
  settings: readonly Setting[],
  environment: Readonly<Record<string, string | undefined>>,
): void {
  const complaints: string[] = []
  const config = verb.opts<{ config?: string }>().config ?? environment[variableOf(CONFIG)]
  const file = readSettingsFile(config === '' ? undefined : config)
  const entries = file.entries.filter((entry) => isKnown(entry, complaints))
  for (const setting of settings) {
    const attribute = flagOf(setting).attributeName()
    const variable = variableOf(setting)
    const said = environment[variable] ?? ''
    const entry = entries.find(({ key }) => key === setting.key)
    const isGiven = verb.getOptionValueSource(attribute) === 'cli'
    const spoken = said === '' ? [] : wordsOf(setting, said).map((text) => ({ text, where: variable }))
    const written = (entry?.values ?? []).map(({ text, where }) => ({
      text,
      where: `${where}: ${setting.key}`,
    }))
    for (const texts of [spoken, written]) {
      const values = texts.map((text) => read(setting, text, complaints))
      if (
        texts.length === 0 ||
        isGiven ||
        ['env', 'config'].includes(verb.getOptionValueSource(attribute) ?? '')
      )
        continue
      verb.setOptionValueWithSource(
        attribute,
        setting.many ? values : values[0],
        texts === spoken ? 'env' : 'config',
      )
    }
  }
  const all = [...file.complaints, ...complaints]
  if (all.length > 0) throw new CommandError(all.join('\n'))
}

function wordsOf({ many }: Setting, text: string): readonly string[] {
  return many ? text.split(/\s+/).filter((word) => word !== '') : [text]
}

function read(setting: Setting, { text, where }: Text, complaints: string[]): unknown {
  try {
    return readSetting(setting, text)
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error
    complaints.push(`${where}: ${error.message}`)
    return undefined
  }
}

function isKnown({ key, where, values }: Entry, complaints: string[]): boolean {
  const setting = KNOWN.get(key)
  if (!setting) complaints.push(`${where}: There is no setting ${JSON.stringify(key)}${hint(key)}.`)
  else if (values === undefined) complaints.push(`${where}: ${key} has no value that a flag could have.`)
  else if (values.length > 1 && !setting.many)
    complaints.push(`${where}: ${key} takes one value, not several.`)
  else return true
  return false
}

/** The parser of the command line knows what is meant. */
function hint(key: string): string {
  const parser = new Command().exitOverride().configureOutput({ outputError: () => undefined })
  for (const setting of KNOWN.values()) parser.addOption(flagOf(setting))
  try {
    parser.parse([`--${key}`], { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const [, meant] = /\(Did you mean --(\S+)\?\)/.exec(error.message) ?? []
    if (meant !== undefined) return `: did you mean ${meant}?`.replace(/\?$/, '')
  }
  return ''
}
