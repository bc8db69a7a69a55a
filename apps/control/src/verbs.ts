// What the verbs that ask the running server have in common: their flags, and how they reach it.

import type { AdminAnswer, AdminCommand, AdminQuestion, AdminResult } from '@mesh/control-server/node'
import { type Command, Option } from 'commander'
import { sendCommand, sendQuestion } from './admin-client.ts'
import { applySettings } from './apply-settings.ts'
import { CommandError } from './command-error.ts'
import { type ConnectionFlags, serverOf } from './connection.ts'
import { FORMATS, type OutputFlags } from './output.ts'
import { flagOf } from './setting.ts'
import { CLIENT_SETTINGS } from './settings-table.ts'

/** The flags of every such verb. */
export interface AdminFlags extends ConnectionFlags, OutputFlags {}

/** Describes a verb and gives it the flags that all have. */
export function admin(command: Command, description: string): Command {
  command.description(description)
  for (const setting of CLIENT_SETTINGS) command.addOption(flagOf(setting).helpGroup('Which server:'))
  return programs(
    command.hook('preAction', (_, verb) => applySettings(verb, CLIENT_SETTINGS, process.env)),
  ).option('--force', 'accepted for scripts; there is no question asked')
}

/** Gives a verb the flags by which programs read its answer. */
export function programs(command: Command): Command {
  return command
    .addOption(new Option('-o, --output <format>', 'for programs').choices(FORMATS))
    .option('--json', 'as --output json')
}

/** Has the running server do a command. */
export async function ask<C extends AdminCommand>(flags: AdminFlags, command: C): Promise<AdminResult<C>> {
  return sendCommand(serverOf(flags), command)
}

/** Has the running server answer a question. */
export async function inquire<Q extends AdminQuestion>(
  flags: AdminFlags,
  question: Q,
): Promise<AdminAnswer<Q>> {
  return sendQuestion(serverOf(flags), question)
}

/** Returns what was named, or complains. */
export function named(value: string | undefined, what: string): string {
  if (value === undefined) throw new CommandError(`Say which ${what}.`)
  return value
}

/** Returns the parts of a list as it is written behind a flag. */
export function parts(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '')
}
