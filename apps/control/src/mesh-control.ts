#!/usr/bin/env node
// The command line of the control server: `serve` runs it, every other verb asks the running one. Verbs and flags have
// the names that Headscale's users know. Every failure is one sentence on stderr and exit code 1.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addAudit } from './audit-verbs.ts'
import { addBackup } from './backup-verbs.ts'
import { CommandError, reasonOf } from './command-error.ts'
import { parseDuration } from './durations.ts'
import { addRelay } from './relay-flag.ts'
import type { ListenAddress, ServeFlags } from './serve.ts'
import { addNodes } from './node-verbs.ts'
import { addPolicy } from './policy-verbs.ts'
import { claim, defaultStateDirectory, stateDirectory } from './state-directory.ts'
import { addApiKeys, addPreAuthKeys } from './key-verbs.ts'
import { formatOf, inFormat, type OutputFlags, print, printable } from './output.ts'
import { addUsers } from './user-verbs.ts'
import { VERSION } from './version.ts'

function program(): Command {
  const root = new Command('mesh-control')
    .description('The control server of a mesh: who is in it, and what every node knows of the others.')
    .version(VERSION)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
  addServe(root)
  addUsers(group(root, 'users', ['user'], 'Manage the people who own nodes.'))
  const preAuthKeys = ['preauthkey', 'authkey', 'pre']
  addPreAuthKeys(group(root, 'preauthkeys', preAuthKeys, 'Manage the keys that let machines in unattended.'))
  addApiKeys(group(root, 'apikeys', ['apikey', 'api'], 'Manage the keys that administer from elsewhere.'))
  addNodes(group(root, 'nodes', ['node'], 'Manage the machines of the mesh.'))
  addPolicy(root.command('policy').description('Manage what the network allows.'))
  addAudit(root.command('audit').description('Look into the log of what was changed.'))
  addBackup(root)
  root
    .command('migrate')
    .description('Bring the database up to date, which serve does too.')
    .option('--state-dir <path>', "the server's directory", defaultStateDirectory())
    .option('--database <url>', 'PostgreSQL, postgres://…, instead of the file in the directory', databaseUrl)
    .option('--dry-run', 'only say what would be done')
    .action(async (flags: { stateDir: string; database?: string; dryRun?: boolean }) => {
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
  root
    .command('version')
    .description('Show the version.')
    .action(() => print(VERSION))
  return root
}

function group(root: Command, name: string, aliases: readonly string[], description: string): Command {
  return root.command(name).aliases(aliases).description(description)
}

function addServe(root: Command): void {
  root
    .command('serve')
    .description('Run the server until it is told to end.')
    .addOption(
      new Option('--listen <address>', 'host:port to listen on; port 0 takes any')
        .argParser(listenAddress)
        .default(listenAddress('127.0.0.1:8080'), '127.0.0.1:8080'),
    )
    .option('--server-url <url>', 'how clients reach the server (default: where it listens)', serverUrl)
    .option('--state-dir <path>', 'directory for keys and database', defaultStateDirectory())
    .option('--base-domain <name>', "suffix of every node's name", 'mesh.internal')
    .option('--relay <url>', 'a relay, as https://host[:port][,stun=PORT|off]; repeatable', addRelay, [])
    .option('--derp-map <file>', 'a whole relay map as JSON, instead of --relay')
    .option('--embedded-relay', 'be a relay too, under the same address, for the nodes of this network only')
    .option(
      '--stun <address>',
      'host:port of its STUN answerer, or off (default: port 3478 beside --listen)',
      stunAddress,
    )
    .option('--tls-cert <file>', 'speak TLS with this certificate (PEM); read again on SIGHUP')
    .option('--tls-key <file>', 'its private key (PEM)')
    .option('--nameserver <address>', 'a resolver for other names; repeatable', append, [])
    .option('--no-override-local-dns', 'use --nameserver only where nodes cannot tell their own resolvers')
    .option(
      '--node-expiry <duration>',
      "how long a user's node stays logged in; 0 for ever",
      parseDuration,
      0,
    )
    .addOption(
      new Option('--audit-retention <duration>', 'how long the audit log keeps what was done')
        .argParser(parseDuration)
        .default(parseDuration('90d'), '90d'),
    )
    .option(
      '--database <url>',
      'keep everything in PostgreSQL, postgres://…, which servers may share',
      databaseUrl,
    )
    .option('--private-key <file>', "the server's key; servers that share a database need the same one")
    .option('--verbose', 'log more')
    .action(async (flags: ServeFlags) => {
      // Loaded only here: the other verbs need nothing of it, and start faster without.
      const { serve } = await import('./serve.ts')
      await serve(flags)
    })
}

function append(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

function serverUrl(text: string): string {
  if (/^https?:\/\/[^/\s]+\/*$/.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('Write it as https://host or http://host:port.')
}

function databaseUrl(text: string): string {
  if (/^postgres(ql)?:\/\/\S+$/.test(text)) return text
  // Not commander's complaint, which shows what was written: a password may be in it.
  throw new CommandError('Write --database as postgres://user:password@host:port/database.')
}

function stunAddress(text: string): ListenAddress | 'off' {
  return text === 'off' ? text : listenAddress(text)
}

function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535)
    throw new InvalidArgumentError('Write it as 127.0.0.1:8080 or [::1]:8080.')
  return { host: bracketed ?? (plain || '::'), port: Number(port) }
}

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
