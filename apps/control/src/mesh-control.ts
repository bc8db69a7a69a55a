#!/usr/bin/env node
// The command line of the control server: `serve` runs it, every other verb asks the running one. Verbs and flags have
// the names that Headscale's users know. Every failure is one sentence on stderr and exit code 1.

import type { AdminCommand, AdminResult } from '@mesh/control-server/node'
import { Command, InvalidArgumentError, Option } from 'commander'
import { sendCommand } from './admin-client.ts'
import { CommandError, reasonOf } from './command-error.ts'
import { parseDuration } from './durations.ts'
import { addRelay } from './relay-flag.ts'
import type { ListenAddress, ServeFlags } from './serve.ts'
import { defaultStateDirectory, stateDirectory } from './state-directory.ts'
import { keysTable, nodesTable, usersTable } from './tables.ts'
import { VERSION } from './version.ts'

interface AdminFlags {
  readonly stateDir: string
  readonly json?: boolean
  readonly output?: string
}

interface KeyFlags extends AdminFlags {
  readonly user?: string
  readonly reusable?: boolean
  readonly ephemeral?: boolean
  readonly expiration: number
  readonly tags?: readonly string[]
}

interface NodeFlags extends AdminFlags {
  readonly identifier?: string
}

function program(): Command {
  const root = new Command('mesh-control')
    .description('The control server of a mesh: who is in it, and what every node knows of the others.')
    .version(VERSION)
    .showSuggestionAfterError()
  addServe(root)
  addUsers(root.command('users').description('Manage the people who own nodes.'))
  addKeys(root.command('preauthkeys').description('Manage the keys that let machines in unattended.'))
  addNodes(root.command('nodes').description('Manage the machines of the mesh.'))
  root
    .command('version')
    .description('Show the version.')
    .action(() => print(VERSION))
  return root
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
    .option('--nameserver <address>', 'a resolver for other names; repeatable', append, [])
    .option('--no-override-local-dns', 'use --nameserver only where nodes cannot tell their own resolvers')
    .option(
      '--node-expiry <duration>',
      "how long a user's node stays logged in; 0 for ever",
      parseDuration,
      0,
    )
    .option('--verbose', 'log more')
    .action(async (flags: ServeFlags) => {
      // Loaded only here: the other verbs need nothing of it, and start faster without.
      const { serve } = await import('./serve.ts')
      await serve(flags)
    })
}

function addUsers(users: Command): void {
  admin(users.command('create <name>'), 'Make a user.')
    .option('--display-name <text>', 'what people read')
    .action(async (name: string, flags: AdminFlags & { displayName?: string }) => {
      const { displayName } = flags
      const user = await ask(flags, {
        verb: 'users create',
        name,
        ...(displayName === undefined ? {} : { displayName }),
      })
      print(wantsJson(flags) ? toJson(user) : `User ${user.name} has number ${user.id}.`)
    })
  admin(users.command('list').alias('ls'), 'Show all users.').action(async (flags: AdminFlags) => {
    const list = await ask(flags, { verb: 'users list' })
    print(wantsJson(flags) ? toJson(list) : usersTable(list))
  })
}

function addKeys(keys: Command): void {
  admin(keys.command('create'), 'Make a key and print it, this once.')
    .option('-u, --user <name>', 'who will own the nodes, by name or number')
    .option('--reusable', 'let it be used more than once')
    .option('--ephemeral', 'remove its nodes when they stay away')
    .addOption(
      new Option('-e, --expiration <duration>', 'how long it can be used; 0 for ever')
        .argParser(parseDuration)
        .default(parseDuration('1h'), '1h'),
    )
    .option('--tags <list>', 'tags of its nodes, as tag:a,tag:b', (text) => text.split(','))
    .action(async (flags: KeyFlags) => {
      const key = await ask(flags, keyCommand(flags))
      print(wantsJson(flags) ? toJson(key) : key.key)
    })
  admin(keys.command('list').alias('ls'), 'Show all keys, without their secrets.').action(
    async (flags: AdminFlags) => {
      const list = await ask(flags, { verb: 'preauthkeys list' })
      print(wantsJson(flags) ? toJson(list) : keysTable(list))
    },
  )
  admin(keys.command('expire [key]'), 'End a key, given itself or its number.')
    .option('--id <number>', "the key's number")
    .action(async (key: string | undefined, flags: AdminFlags & { id?: string }) => {
      const expired = await ask(flags, { verb: 'preauthkeys expire', which: named(key ?? flags.id, 'key') })
      print(wantsJson(flags) ? toJson(expired) : `Key ${expired.id} is expired.`)
    })
}

function addNodes(nodes: Command): void {
  admin(nodes.command('list').alias('ls'), 'Show all nodes.').action(async (flags: AdminFlags) => {
    const list = await ask(flags, { verb: 'nodes list' })
    print(wantsJson(flags) ? toJson(list) : nodesTable(list))
  })
  admin(nodes.command('register'), 'Let in a machine that waits at its login page.')
    .requiredOption('-k, --key <id>', "the last part of the page's address")
    .requiredOption('-u, --user <name>', 'who will own it, by name or number')
    .action(async (flags: AdminFlags & { key: string; user: string }) => {
      const node = await ask(flags, { verb: 'nodes register', key: flags.key, user: flags.user })
      print(
        wantsJson(flags) ? toJson(node) : `Node ${node.name} is in, with ${node.addresses.join(' and ')}.`,
      )
    })
  aboutNode(nodes.command('expire [node]'), 'Log a node out: it must log in again.').action(
    async (node: string | undefined, flags: NodeFlags) => {
      const expired = await ask(flags, {
        verb: 'nodes expire',
        node: named(node ?? flags.identifier, 'node'),
      })
      print(wantsJson(flags) ? toJson(expired) : `Node ${expired.name} is logged out.`)
    },
  )
  aboutNode(nodes.command('delete [node]').alias('rm'), 'Remove a node for good.')
    .option('--force', 'accepted for scripts; there is no question asked')
    .action(async (node: string | undefined, flags: NodeFlags) => {
      const deleted = await ask(flags, {
        verb: 'nodes delete',
        node: named(node ?? flags.identifier, 'node'),
      })
      print(wantsJson(flags) ? toJson(deleted) : `Node ${deleted.name} is removed.`)
    })
}

function admin(command: Command, description: string): Command {
  return command
    .description(description)
    .option('--state-dir <path>', "the server's directory", defaultStateDirectory())
    .option('--json', 'as JSON')
    .option('-o, --output <format>', 'json, as --json', outputFormat)
}

function aboutNode(command: Command, description: string): Command {
  return admin(command, description).option('-i, --identifier <node>', "the node's number, name or address")
}

async function ask<C extends AdminCommand>(flags: AdminFlags, command: C): Promise<AdminResult<C>> {
  return sendCommand(stateDirectory(flags.stateDir).socket, command)
}

function keyCommand(flags: KeyFlags): Extract<AdminCommand, { verb: 'preauthkeys create' }> {
  return {
    verb: 'preauthkeys create',
    reusable: flags.reusable ?? false,
    ephemeral: flags.ephemeral ?? false,
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.tags === undefined ? {} : { tags: flags.tags }),
    ...(flags.expiration > 0 ? { lifetime: flags.expiration } : {}),
  }
}

function named(value: string | undefined, what: string): string {
  if (value === undefined) throw new CommandError(`Say which ${what}.`)
  return value
}

function wantsJson(flags: AdminFlags): boolean {
  return flags.json === true || flags.output === 'json'
}

function toJson(value: object): string {
  return JSON.stringify(value, undefined, 2)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function append(text: string, before: readonly string[]): readonly string[] {
  return [...before, text]
}

function outputFormat(text: string): string {
  if (text === 'json') return text
  throw new InvalidArgumentError('The only format is json.')
}

function serverUrl(text: string): string {
  if (/^https?:\/\/[^/\s]+\/*$/.test(text)) return text.replace(/\/+$/, '')
  throw new InvalidArgumentError('Write it as https://host or http://host:port.')
}

function listenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  if (port === '' || Number(port) > 65_535)
    throw new InvalidArgumentError('Write it as 127.0.0.1:8080 or [::1]:8080.')
  return { host: bracketed ?? (plain || '::'), port: Number(port) }
}

try {
  await program().parseAsync()
} catch (error) {
  process.stderr.write(`mesh-control: ${reasonOf(error)}.\n`)
  process.exit(1)
}
