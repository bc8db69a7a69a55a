#!/usr/bin/env node
// The relay as a program. Every failure is one sentence on stderr: exit code 2 when the command line makes no
// sense, 1 when something else is in the way.
import { Failure } from './failure.ts'
import { serve } from './serve.ts'
import { Answered, readSettings } from './settings.ts'
import { VERSION } from './version.ts'

/** Milliseconds that hanging up may take; after it the process ends all the same. */
const END_WITHIN = 2_000

async function main(args: readonly string[]): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`mesh-relay: ${line}\n`)
  const running = await serve(readSettings(args, VERSION), say)
  let ending = false
  const end = (): void => {
    // Asked a second time, it does not wait for anybody.
    if (ending) process.exit(0)
    ending = true
    setTimeout(() => process.exit(0), END_WITHIN)
    running.close().then(
      () => process.exit(0),
      () => process.exit(1),
    )
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)
  process.on('SIGHUP', () => {
    try {
      running.reload()
      say('read the rate limit again')
    } catch (error) {
      say(error instanceof Failure ? error.message : String(error))
    }
  })
  process.stdout.write(`${running.ready}\nmesh-relay DERP map region ${JSON.stringify(running.region)}\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Answered)) {
    if (!(error instanceof Failure)) throw error
    process.stderr.write(`mesh-relay: ${error.message}\n`)
    process.exitCode = error.exitCode
  }
}
