#!/usr/bin/env node
// The command line: reads flags, asks the daemon through its socket, prints the answer. Every failure is one
// sentence on stderr and exit code 1.
import { endUnheard } from '@mesh/sansio/node'
import { addCompletion } from './completion.ts'
import { plainFlags } from './go-flags.ts'
import { CommandError } from './local-client.ts'
import { makeProgram } from './program.ts'

endUnheard()
try {
  const program = makeProgram()
  const words = plainFlags(process.argv.slice(2), program)
  await addCompletion(program, words)
  await program.parseAsync(words, { from: 'user' })
} catch (error) {
  const known = error instanceof CommandError
  process.stderr.write(
    `${known ? error.message : `mesh failed: ${error instanceof Error ? error.message : String(error)}`}\n`,
  )
  process.exitCode = 1
}
