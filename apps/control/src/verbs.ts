// What the verbs that ask the running server have in common: their flags, and how answers are printed.

import type { AdminCommand, AdminResult } from '@mesh/control-server/node'
import { type Command, InvalidArgumentError } from 'commander'
import { sendCommand } from './admin-client.ts'
import { CommandError } from './command-error.ts'
import { defaultStateDirectory, stateDirectory } from './state-directory.ts'

/** The flags of every such verb. */
export interface AdminFlags {
  readonly stateDir: string
  readonly json?: boolean
  readonly output?: string
}

/** Describes a verb and gives it the flags that all have. */
export function admin(command: Command, description: string): Command {
  return command
    .description(description)
    .option('--state-dir <path>', "the server's directory", defaultStateDirectory())
    .option('--json', 'as JSON')
    .option('-o, --output <format>', 'json, as --json', outputFormat)
}

/** Has the running server do a command. */
export async function ask<C extends AdminCommand>(flags: AdminFlags, command: C): Promise<AdminResult<C>> {
  return sendCommand(stateDirectory(flags.stateDir).socket, command)
}

/** Returns what was named, or complains. */
export function named(value: string | undefined, what: string): string {
  if (value === undefined) throw new CommandError(`Say which ${what}.`)
  return value
}

/** Tells whether the answer is wanted as JSON. */
export function wantsJson(flags: AdminFlags): boolean {
  return flags.json === true || flags.output === 'json'
}

/** Returns an answer as JSON text. */
export function toJson(value: object): string {
  return JSON.stringify(value, undefined, 2)
}

/** Prints a line or several. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function outputFormat(text: string): string {
  if (text === 'json') return text
  throw new InvalidArgumentError('The only format is json.')
}
