// What becomes of a program that prints answers once nobody takes them: `head` has its line, or the disk is full. Node would end
// it with a stack trace.
import { sayOn } from './say-line.ts'

/** What a shell makes of a program that a broken pipe has ended: 128 and SIGPIPE. */
const BROKEN_PIPE = 141

/**
 * Ends this program when its standard output fails: without a word and with exit code 141 when whoever read has left, as a system's
 * own programs end then; else with one sentence and exit code 1. For programs that answer and end; a server says things by
 * {@link sayOn}, and goes on.
 */
export function endUnheard(): void {
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') process.exit(BROKEN_PIPE)
    sayOn(2, `The answer cannot be written (${code ?? message}).\n`)
    process.exit(1)
  })
}
