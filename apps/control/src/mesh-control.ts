#!/usr/bin/env node
// The program. Every failure is one sentence on stderr and exit code 1.

import { CommanderError } from 'commander'
import { reasonOf } from './command-error.ts'
import { formatOf, inFormat, type OutputFlags, printable } from './output.ts'
import { program } from './program.ts'

/** Says what went wrong, in a sentence or, to a program that wants it so, as data. Returns the exit code. */
async function explain(error: unknown): Promise<number> {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help'))
    return error.exitCode
  const written = reasonOf(error)
  const [sentence, hint = ''] =
    error instanceof CommanderError ? written.replace(/^error: /, '').split('\n(') : [written]
  const lines = `${sentence}${hint && ` (${hint}`}`.split('\n').map(printable)
  const format = formatOf(wanted)
  const text =
    format === undefined
      ? `mesh-control: ${lines.join('\n')}.`
      : await inFormat({ error: lines.join('\n') }, format)
  process.stderr.write(`${text}\n`)
  return 1
}

/** How the verb that runs is to print. */
let wanted: OutputFlags = {}

try {
  await program()
    .hook('preAction', (_, verb) => {
      wanted = verb.opts<OutputFlags>()
    })
    .parseAsync()
} catch (error) {
  process.exit(await explain(error))
}
