// `users`: who owns nodes.

import type { NewUser, UserFilter } from '@mesh/control-server'
import type { Command } from 'commander'
import { show } from './output.ts'
import { usersTable } from './tables.ts'
import { admin, type AdminFlags, ask, named } from './verbs.ts'

interface UserFlags extends AdminFlags {
  readonly name?: string
  readonly identifier?: string
}

interface NewUserFlags extends AdminFlags {
  readonly displayName?: string
  readonly email?: string
  readonly pictureUrl?: string
}

interface RenameFlags extends UserFlags {
  readonly newName?: string
  readonly displayName?: string
}

/** Adds the verbs of `users`. */
export function addUsers(users: Command): void {
  admin(users.command('create <name>').aliases(['c', 'new']), 'Make a user.')
    .option('-d, --display-name <text>', 'what people read')
    .option('-e, --email <address>', 'by which a policy may name the user too')
    .option('-p, --picture-url <url>', 'the picture that people see')
    .action(async (name: string, flags: NewUserFlags) => {
      const user = await ask(flags, { verb: 'users create', name, ...detailsOf(flags) })
      await show(flags, user, `User ${user.name} has number ${user.id}.`)
    })
  aboutUser(users.command('list').aliases(['ls', 'show']), 'Show all users, or one.')
    .option('-e, --email <address>', "the user's mail address")
    .action(async (flags: UserFlags & { email?: string }) => {
      const list = await ask(flags, { verb: 'users list', ...filterOf(flags) })
      await show(flags, list, usersTable(list))
    })
  aboutUser(users.command('rename [user] [new-name]').alias('mv'), 'Change the name of a user.')
    .option('-r, --new-name <name>', 'the new name')
    .option('-d, --display-name <text>', 'what people read (default: the new name)')
    .action(async (user: string | undefined, name: string | undefined, flags: RenameFlags) => {
      const { displayName } = flags
      const renamed = await ask(flags, {
        verb: 'users rename',
        user: named(user ?? flags.name ?? flags.identifier, 'user'),
        name: named(name ?? flags.newName, 'new name'),
        ...(displayName === undefined ? {} : { displayName }),
      })
      await show(flags, renamed, `User ${renamed.id} is ${renamed.name} now.`)
    })
  aboutUser(
    users.command('delete [user]').alias('destroy'),
    'Remove a user who has no nodes, and their keys.',
  ).action(async (user: string | undefined, flags: UserFlags) => {
    const which = named(user ?? flags.name ?? flags.identifier, 'user')
    const deleted = await ask(flags, { verb: 'users delete', user: which })
    await show(flags, deleted, `User ${deleted.name} is removed.`)
  })
}

function detailsOf({ displayName, email, pictureUrl }: NewUserFlags): Omit<NewUser, 'name'> {
  return {
    ...(displayName === undefined ? {} : { displayName }),
    ...(email === undefined ? {} : { email }),
    ...(pictureUrl === undefined ? {} : { pictureUrl }),
  }
}

function filterOf({ name, identifier, email }: UserFlags & { email?: string }): UserFilter {
  return {
    ...(name === undefined ? {} : { name }),
    ...(identifier === undefined ? {} : { id: identifier }),
    ...(email === undefined ? {} : { email }),
  }
}

function aboutUser(command: Command, description: string): Command {
  return admin(command, description)
    .option('-n, --name <name>', "the user's name")
    .option('-i, --identifier <number>', "the user's number")
}
