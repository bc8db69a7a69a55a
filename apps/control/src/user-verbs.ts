// `users`: who owns nodes.

import type { UserJson } from '@mesh/control-server/node'
import type { Command } from 'commander'
import { show } from './output.ts'
import { usersTable } from './tables.ts'
import { admin, type AdminFlags, ask, named } from './verbs.ts'

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
  admin(users.command('create <name>').aliases(['c', 'new']), 'Make a user.')
    .option('-d, --display-name <text>', 'what people read')
    .action(async (name: string, flags: AdminFlags & { displayName?: string }) => {
      const { displayName } = flags
      const user = await ask(flags, {
        verb: 'users create',
        name,
        ...(displayName === undefined ? {} : { displayName }),
      })
      await show(flags, user, `User ${user.name} has number ${user.id}.`)
    })
  aboutUser(users.command('list').aliases(['ls', 'show']), 'Show all users, or one.').action(
    async (flags: UserFlags) => {
      const list = (await ask(flags, { verb: 'users list' })).filter((user) => isMeant(user, flags))
      await show(flags, list, usersTable(list))
    },
  )
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

function isMeant(user: UserJson, { name, identifier }: UserFlags): boolean {
  if (name !== undefined && user.name !== name) return false
  return identifier === undefined || String(user.id) === identifier
}

function aboutUser(command: Command, description: string): Command {
  return admin(command, description)
    .option('-n, --name <name>', "the user's name")
    .option('-i, --identifier <number>', "the user's number")
}
