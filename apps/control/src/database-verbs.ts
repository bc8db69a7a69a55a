// `migrate` and `rekey`: what is done to the database itself, while no server of this directory serves it.

import type { Command } from 'commander'
import { applySettings } from './apply-settings.ts'
import { print } from './output.ts'
import { flagOf, type Setting } from './setting.ts'
import { CONFIG, DATABASE, PRIVATE_KEY, STATE_DIR } from './settings-table.ts'
import { claim, stateDirectory } from './state-directory.ts'

interface DatabaseFlags {
  readonly stateDir: string
  readonly database?: string
}

/** Adds both verbs. */
export function addDatabase(root: Command): void {
  withSettings(root.command('migrate'), [CONFIG, STATE_DIR, DATABASE])
    .description('Bring the database up to date, which serve does too.')
    .option('--dry-run', 'only say what would be done')
    .action(async (flags: DatabaseFlags & { dryRun?: boolean }) => {
      const { missingSteps, openStore } = await import('./database.ts')
      const state = stateDirectory(flags.stateDir)
      const missing = await missingSteps(flags.database, state)
      if (!flags.dryRun) {
        claim(state)
        await (await openStore(flags.database, state)).close()
      }
      const done = flags.dryRun ? 'would run' : 'ran'
      print(missing.length === 0 ? 'The database is up to date.' : `${done} ${missing.join(', ')}`)
    })
  withSettings(root.command('rekey'), [CONFIG, STATE_DIR, DATABASE, PRIVATE_KEY])
    .description('Bind the network to the private key of this server, when the one it had is lost.')
    .action(async (flags: DatabaseFlags & { privateKey?: string }) => {
      const { bindToKey } = await import('./database.ts')
      const state = stateDirectory(flags.stateDir)
      claim(state)
      const key = await bindToKey(flags.database, state, flags.privateKey ?? state.privateKey)
      print(`The network is bound to ${key}: give its other servers the same key file.`)
    })
}

function withSettings(command: Command, settings: readonly Setting[]): Command {
  for (const setting of settings) command.addOption(flagOf(setting))
  return command.hook('preAction', (_, verb) => applySettings(verb, settings, process.env))
}
