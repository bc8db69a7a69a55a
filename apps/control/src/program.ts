// The command line of the control server: `serve` runs it, every other verb asks the running one. Verbs and flags have
// the names that Headscale's users know.

import tab from '@bomb.sh/tab/commander'
import { Command, Help, type Option } from 'commander'
import { applySettings } from './apply-settings.ts'
import { addAddresses } from './address-verbs.ts'
import { addAudit } from './audit-verbs.ts'
import { addAuth } from './auth-verbs.ts'
import { addBackup } from './backup-verbs.ts'
import { addDatabase } from './database-verbs.ts'
import { addHealth } from './health-verb.ts'
import { addApiKeys, addPreAuthKeys } from './key-verbs.ts'
import { addNodes } from './node-verbs.ts'
import { print, show } from './output.ts'
import type { OutputFlags } from './output.ts'
import { addPolicy } from './policy-verbs.ts'
import { addSsh } from './ssh-verbs.ts'
import type { ServeFlags } from './serve-flags.ts'
import { flagOf } from './setting.ts'
import { SERVE_SETTINGS } from './settings-table.ts'
import { addUsers } from './user-verbs.ts'
import { programs } from './verbs.ts'
import { VERSION } from './version.ts'

/** Returns the whole command line. */
export function program(): Command {
  const root = new Command('mesh-control')
    .description('The control server of a mesh: who is in it, and what every node knows of the others.')
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .configureHelp({ optionDescription, visibleOptions })
    .addHelpText('after', EXAMPLES)
  addServer(root)
  const administer = root.commandsGroup('Administration:')
  addUsers(group(administer, 'users', ['user'], 'Manage the people who own nodes.'))
  addNodes(group(administer, 'nodes', ['node'], 'Manage the machines of the mesh.'))
  addAuth(administer.command('auth').description('Decide on machines that wait to be let in.'))
  const preAuthKeys = ['preauthkey', 'authkey', 'pre']
  addPreAuthKeys(
    group(administer, 'preauthkeys', preAuthKeys, 'Manage the keys that let machines in unattended.'),
  )
  addApiKeys(
    group(administer, 'apikeys', ['apikey', 'api'], 'Manage the keys that administer from elsewhere.'),
  )
  addAddresses(group(administer, 'addresses', ['address'], 'Manage which addresses are kept for whom.'))
  addSsh(administer.command('ssh').description('Decide on SSH logins that have to be confirmed.'))
  addPolicy(administer.command('policy').description('Manage what the network allows.'))
  addAudit(administer.command('audit').description('Look into the log of what was changed.'))
  addBackup(administer)
  addHealth(administer)
  root.commandsGroup('This program:').helpCommand('help [verb]', 'Show what a verb does.')
  programs(root.command('version'))
    .description('Show the version.')
    .action((flags: OutputFlags) => show(flags, { version: VERSION }, VERSION))
  // `completion SHELL` prints a script, which asks the hidden `complete -- WORDS` what may come next.
  tab(root, { completionCommandName: 'completion' })
  return root
}

const EXAMPLES = `
Examples:
  mesh-control serve --relay https://relay.example   run the server on this machine
  mesh-control users create ann                      make a user, on this machine's server
  mesh-control preauthkeys create --user ann         a key for "tailscale up --auth-key"
  mesh-control apikeys create                        a key for --url, to administer from elsewhere
`

/** What is of the verb alone comes first; what all have has a heading of its own. */
function visibleOptions(command: Command): Option[] {
  const all = new Help().visibleOptions(command)
  return all.toSorted(
    (a, b) => Number(a.helpGroupHeading !== undefined) - Number(b.helpGroupHeading !== undefined),
  )
}

/** Settings say themselves what they are when nobody says anything, as people write it. */
function optionDescription(option: Option): string {
  return option.helpGroupHeading === undefined ? new Help().optionDescription(option) : option.description
}

function group(root: Command, name: string, aliases: readonly string[], description: string): Command {
  return root.command(name).aliases(aliases).description(description)
}

function addServer(root: Command): void {
  const all = SERVE_SETTINGS.flatMap(({ settings }) => settings)
  const serving = (command: Command): Command => {
    for (const { heading, settings } of SERVE_SETTINGS)
      for (const setting of settings) command.addOption(flagOf(setting).helpGroup(heading))
    return command.hook('preAction', (_, verb) => applySettings(verb, all, process.env))
  }
  root.commandsGroup('The server:')
  // Loaded only here: the other verbs need nothing of it, and start faster without.
  serving(root.command('serve'))
    .description('Run the server until it is told to end.')
    .action(async (flags: ServeFlags) => (await import('./serve.ts')).serve(flags))
  serving(root.command('configtest'))
    .description('Say whether flags, environment and file are good; touch nothing.')
    .action(async (flags: ServeFlags) => {
      ;(await import('./configtest.ts')).configtest(flags)
      print('The configuration is good.')
    })
  addDatabase(root)
}
