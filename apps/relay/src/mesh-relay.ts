#!/usr/bin/env node
// The relay as a program. Every failure is one sentence on stderr: exit code 2 when the command line makes no
// sense, 1 when something else is in the way.
import { sayOn } from '@mesh/sansio/node'
import { Failure } from './failure.ts'
import { prepare, type RunningRelay, serve } from './serve.ts'
import { Answered, readSettings, type Settings } from './settings.ts'
import { VERSION } from './version.ts'

/** Milliseconds that hanging up may take when everything is sent; after it the process ends all the same. */
const END_WITHIN = 2_000

const say = (line: string): void => sayOn(2, `mesh-relay: ${line}\n`)

async function main(args: readonly string[]): Promise<void> {
  const settings = readSettings(args, VERSION)
  if (settings.configtest) {
    prepare(settings)
    return sayOn(1, 'mesh-relay configuration is good\n')
  }
  const running = await serve(settings, say)
  obeySignals(running, settings)
  sayOn(1, `${running.ready}\nmesh-relay DERP map region ${JSON.stringify(running.region)}\n`)
}

function obeySignals(running: RunningRelay, { drainTime }: Settings): void {
  let ending = false
  const end = (): void => {
    // Asked a second time, it does not wait for anybody.
    if (ending) process.exit(0)
    ending = true
    setTimeout(() => process.exit(0), drainTime + END_WITHIN)
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
      say('read the certificate and the rate limit again')
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      say(error.message)
    }
  })
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Answered)) {
    if (!(error instanceof Failure)) throw error
    say(error.message)
    process.exitCode = error.exitCode
  }
}
