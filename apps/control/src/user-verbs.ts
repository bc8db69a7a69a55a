// `users` and `preauthkeys`: who owns nodes, and how their machines get in unattended.

import type { AdminCommand } from '@mesh/control-server/node'
import { type Command, Option } from 'commander'
import { parseDuration } from './durations.ts'
import { keysTable, usersTable } from './tables.ts'
import { admin, type AdminFlags, ask, named, print, toJson, wantsJson } from './verbs.ts'

interface KeyFlags extends AdminFlags {
  readonly user?: string
  readonly reusable?: boolean
  readonly ephemeral?: boolean
  readonly expiration: number
  readonly tags?: readonly string[]
}

interface UserFlags extends AdminFlags {
  readonly name?: string
  readonly identifier?: string
}

interface RenameFlags extends UserFlags {
  readonly newName?: string
  readonly displayName?: string
}

/** Adds the verbs of `users`. */
export function addUsers(users: Command): void {
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
  aboutUser(users.command('rename [user] [new-name]'), 'Change the name of a user.')
    .option('--new-name <name>', 'the new name')
    .option('--display-name <text>', 'what people read (default: the new name)')
    .action(async (user: string | undefined, name: string | undefined, flags: RenameFlags) => {
      const { displayName } = flags
      const renamed = await ask(flags, {
        verb: 'users rename',
        user: named(user ?? flags.name ?? flags.identifier, 'user'),
        name: named(name ?? flags.newName, 'new name'),
        ...(displayName === undefined ? {} : { displayName }),
      })
      print(wantsJson(flags) ? toJson(renamed) : `User ${renamed.id} is ${renamed.name} now.`)
    })
  aboutUser(
    users.command('delete [user]').alias('destroy'),
    'Remove a user who has no nodes, and their keys.',
  )
    .option('--force', 'accepted for scripts; there is no question asked')
    .action(async (user: string | undefined, flags: UserFlags) => {
      const which = named(user ?? flags.name ?? flags.identifier, 'user')
      const deleted = await ask(flags, { verb: 'users delete', user: which })
      print(wantsJson(flags) ? toJson(deleted) : `User ${deleted.name} is removed.`)
    })
  admin(users.command('list').alias('ls'), 'Show all users.').action(async (flags: AdminFlags) => {
    const list = await ask(flags, { verb: 'users list' })
    print(wantsJson(flags) ? toJson(list) : usersTable(list))
  })
}

/** Adds the verbs of `preauthkeys`. */
export function addKeys(keys: Command): void {
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

function aboutUser(command: Command, description: string): Command {
  return admin(command, description)
    .option('-n, --name <name>', "the user's name")
    .option('-i, --identifier <number>', "the user's number")
}
