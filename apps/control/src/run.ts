// Running a command line. Every failure is one sentence on stderr and exit code 1.

import { reasonOf } from '@mesh/sansio/node'
import { CommanderError } from 'commander'
import { formatOf, inFormat, type OutputFlags, printable } from './output.ts'
import { program } from './program.ts'

/** Runs a command line. Returns the exit code; a server goes on running. */
export async function run(args: readonly string[]): Promise<number> {
  /** How the verb that runs is to print. */
  let wanted: OutputFlags = {}
  try {
    await program()
      .hook('preAction', (_, verb) => {
        wanted = verb.opts<OutputFlags>()
      })
      .parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    return explain(error, wanted)
  }
}

/** Says what went wrong, in a sentence or, to a program that wants it so, as data. Returns the exit code. */
async function explain(error: unknown, wanted: OutputFlags): Promise<number> {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help'))
    return error.exitCode
  const lines = sentencesOf(error).map(printable)
  const format = formatOf(wanted)
  const text =
    format === undefined
      ? `mesh-control: ${lines.join('\n')}.`
      : await inFormat({ error: lines.join('\n') }, format)
  process.stderr.write(`${text}\n`)
  return 1
}

/** Only sentences of the program's own may have several lines: what somebody wrote on the command line may not. */
function sentencesOf(error: unknown): readonly string[] {
  const written = reasonOf(error)
  if (!(error instanceof CommanderError)) return written.split('\n')
  const [, sentence = '', hint = ''] = /^(?:error: )?(.*?)(\n\(Did you mean [^\n]*\))?$/s.exec(written) ?? []
  return [
    `${sentence.length > MAX_COMPLAINT ? `${sentence.slice(0, MAX_COMPLAINT)}…` : sentence}${hint.replace('\n', ' ')}`,
  ]
}

/** The longest complaint of the parser, characters: it shows what was written. */
const MAX_COMPLAINT = 300
