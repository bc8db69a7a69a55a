// The reference of the README, made from the table of settings and from the command line itself.

import type { Command } from 'commander'
import { helpOf, type Setting, usageOf, variableOf } from './setting.ts'
import { SERVE_SETTINGS } from './settings-table.ts'

/** Returns the settings of `serve` as Markdown, a table a group. */
export function settingsReference(): string {
  return SERVE_SETTINGS.map(({ heading, settings }) => {
    const rows = settings.map((setting) => {
      const { key, value } = setting
      const flag = value === undefined ? `--${key}` : usageOf(setting)
      return `| \`${flag}\` | \`${variableOf(setting)}\` | ${cell(meaningOf(setting))} |`
    })
    return [
      `### ${heading.replace(/:$/, '')}`,
      '',
      '| flag | environment | meaning |',
      '|---|---|---|',
      ...rows,
    ]
      .join('\n')
      .concat('\n')
  }).join('\n')
}

/** Returns the verbs of a command line as a Markdown table. */
export function verbsReference(root: Command): string {
  const rows = leavesOf(root).map(([path, verb]) => {
    const words = verb.registeredArguments.map((each) =>
      each.required ? `<${each.name()}>` : `[${each.name()}]`,
    )
    const others = verb.aliases().map((alias) => `\`${alias}\``)
    const flags = verb.options
      .filter(({ helpGroupHeading, hidden }) => helpGroupHeading === undefined && !hidden)
      .filter(({ long }) => !['--output', '--json', '--force'].includes(long ?? ''))
      .map(({ long, short }) => `\`${short ?? long}\``)
    return `| \`${[...path, ...words].join(' ')}\` | ${others.join(' ')} | ${cell(verb.description())} | ${flags.join(' ')} |`
  })
  return ['| verb | also | what it does | flags |', '|---|---|---|---|', ...rows].join('\n').concat('\n')
}

function meaningOf(setting: Setting): string {
  const { otherwiseMeans } = setting
  return helpOf(otherwiseMeans === undefined ? setting : { ...setting, otherwise: otherwiseMeans })
}

function leavesOf(command: Command, path: readonly string[] = []): (readonly [readonly string[], Command])[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help')
    .flatMap((each) => {
      const here = [...path, each.name()]
      return each.commands.length > 0 ? leavesOf(each, here) : [[here, each] as const]
    })
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
