// What the verbs that ask the running server have in common: their flags, and how they reach it.

import type { AdminAnswer, AdminCommand, AdminQuestion, AdminResult } from '@mesh/control-server/node'
import { type Command, Option } from 'commander'
import { sendCommand, sendQuestion } from './admin-client.ts'
import { CommandError } from './command-error.ts'
import { type ConnectionFlags, serverOf } from './connection.ts'
import { FORMATS, type OutputFlags } from './output.ts'
import { defaultStateDirectory } from './state-directory.ts'

/** The flags of every such verb. */
export interface AdminFlags extends ConnectionFlags, OutputFlags {}

/** Describes a verb and gives it the flags that all have. */
export function admin(command: Command, description: string): Command {
  return command
    .description(description)
    .addOption(
      new Option('--state-dir <path>', 'the directory of a server on this machine')
        .env('MESH_CONTROL_STATE_DIR')
        .default(defaultStateDirectory()),
    )
    .addOption(
      new Option('--url <address>', 'a server elsewhere, https://control.example').env('MESH_CONTROL_URL'),
    )
    .addOption(
      new Option(
        '--api-key-file <path>',
        'holds the API key for --url; MESH_CONTROL_API_KEY is one itself',
      ).env('MESH_CONTROL_API_KEY_FILE'),
    )
    .addOption(
      new Option('--insecure', 'whatever certificate --url has, or none').env('MESH_CONTROL_INSECURE'),
    )
    .addOption(new Option('-o, --output <format>', 'for programs').choices(FORMATS))
    .option('--json', 'as --output json')
    .option('--force', 'accepted for scripts; there is no question asked')
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
