// `preauthkeys`, by which machines get in unattended, and `apikeys`, by which administrators work from elsewhere.

import type { AdminCommand } from '@mesh/control-server/node'
import { type Command, Option } from 'commander'
import { parseDuration } from './durations.ts'
import { show } from './output.ts'
import { apiKeysTable, preAuthKeysTable } from './tables.ts'
import { admin, type AdminFlags, ask, named, parts } from './verbs.ts'

interface NewKeyFlags extends AdminFlags {
  readonly expiration: number
}

interface NewPreAuthKeyFlags extends NewKeyFlags {
  readonly user?: string
  readonly reusable?: boolean
  readonly ephemeral?: boolean
  readonly preApproved?: boolean
  readonly tags?: readonly string[]
}

interface KeyFlags extends AdminFlags {
  readonly id?: string
  readonly prefix?: string
}

/** Adds the verbs of `preauthkeys`. */
export function addPreAuthKeys(keys: Command): void {
  newKey(keys, '1h')
    .option('-u, --user <name>', 'who will own the nodes, by name or number')
    .option('--reusable', 'let it be used more than once')
    .option('--ephemeral', 'remove its nodes when they stay away')
    .option('--pre-approved', 'let its nodes take part without approval')
    .option('--tags <list>', 'tags of its nodes, as tag:a,tag:b', parts)
    .action(async (flags: NewPreAuthKeyFlags) => {
      const key = await ask(flags, preAuthKeyCommand(flags))
      await show(flags, key, key.key)
    })
  listKeys(keys).action(async (flags: AdminFlags) => {
    const list = await ask(flags, { verb: 'preauthkeys list' })
    await show(flags, list, preAuthKeysTable(list))
  })
  expireKey(keys).action(async (key: string | undefined, flags: KeyFlags) => {
    const expired = await ask(flags, { verb: 'preauthkeys expire', which: whichKey(key, flags) })
    await show(flags, expired, `Key ${expired.id} is expired.`)
  })
  deleteKey(keys).action(async (key: string | undefined, flags: KeyFlags) => {
    const deleted = await ask(flags, { verb: 'preauthkeys delete', which: whichKey(key, flags) })
    await show(flags, deleted, `Key ${deleted.id} is removed.`)
  })
}

/** Adds the verbs of `apikeys`. */
export function addApiKeys(keys: Command): void {
  newKey(keys, '90d').action(async (flags: NewKeyFlags) => {
    const { key } = await ask(flags, { verb: 'apikeys create', ...lifetimeOf(flags) })
    await show(flags, key, key)
  })
  listKeys(keys).action(async (flags: AdminFlags) => {
    const list = await ask(flags, { verb: 'apikeys list' })
    await show(flags, list, apiKeysTable(list))
  })
  expireKey(keys).action(async (key: string | undefined, flags: KeyFlags) => {
    const expired = await ask(flags, { verb: 'apikeys expire', which: whichKey(key, flags) })
    await show(flags, expired, `Key ${expired.id} is expired.`)
  })
  deleteKey(keys).action(async (key: string | undefined, flags: KeyFlags) => {
    const deleted = await ask(flags, { verb: 'apikeys delete', which: whichKey(key, flags) })
    await show(flags, deleted, `Key ${deleted.id} is removed.`)
  })
}

function newKey(keys: Command, lifetime: string): Command {
  return admin(keys.command('create').aliases(['c', 'new']), 'Make a key and print it, this once.').addOption(
    new Option('-e, --expiration <duration>', 'how long it can be used; 0 for ever')
      .argParser(parseDuration)
      .default(parseDuration(lifetime), lifetime),
  )
}

function listKeys(keys: Command): Command {
  return admin(keys.command('list').aliases(['ls', 'show']), 'Show all keys, without their secrets.')
}

function expireKey(keys: Command): Command {
  const command = keys.command('expire [key]').aliases(['revoke', 'exp', 'e'])
  return aboutKey(command, 'End a key, named by itself, its prefix or its number.')
}

function deleteKey(keys: Command): Command {
  const command = keys.command('delete [key]').aliases(['remove', 'del', 'rm', 'd'])
  return aboutKey(command, 'Remove a key, which ends it too.')
}

function aboutKey(command: Command, description: string): Command {
  return admin(command, description)
    .option('-i, --id <number>', "the key's number")
    .option('-p, --prefix <text>', 'what it begins with, or the 12 digits in it')
}

function whichKey(key: string | undefined, { id, prefix }: KeyFlags): string {
  return named(key ?? prefix ?? id, 'key')
}

function preAuthKeyCommand(flags: NewPreAuthKeyFlags): Extract<AdminCommand, { verb: 'preauthkeys create' }> {
  return {
    verb: 'preauthkeys create',
    reusable: flags.reusable ?? false,
    ephemeral: flags.ephemeral ?? false,
    preApproved: flags.preApproved ?? false,
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.tags === undefined ? {} : { tags: flags.tags }),
    ...lifetimeOf(flags),
  }
}

function lifetimeOf({ expiration }: NewKeyFlags): { readonly lifetime?: number } {
  return expiration > 0 ? { lifetime: expiration } : {}
}
