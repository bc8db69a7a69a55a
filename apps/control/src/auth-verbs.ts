// `auth`: machines that wait to be let in, at their login page, or for approval.

import type { LoginJson, NodeJson } from '@mesh/control-server/node'
import type { Command } from 'commander'
import { show } from './output.ts'
import { sshSentence } from './ssh-verbs.ts'
import { loginsTable } from './tables.ts'
import { admin, type AdminFlags, ask, named } from './verbs.ts'

/** How a machine is let in. */
export interface RegisterFlags extends AdminFlags {
  readonly user: string
  readonly name?: string
  readonly address?: string
}

interface AuthFlags extends AdminFlags {
  readonly authId: string
}

/** Adds the verbs of `auth`. */
export function addAuth(auth: Command): void {
  admin(auth.command('list').aliases(['ls', 'show']), 'Show the logins that wait.').action(
    async (flags: AdminFlags) => {
      const list = await ask(flags, { verb: 'logins list' })
      await show(flags, list, loginsTable(list))
    },
  )
  letsIn(admin(auth.command('register'), 'Let in a machine that waits at its login page.'))
    .requiredOption('--auth-id <id>', "the last part of the page's address")
    .action(async (flags: RegisterFlags & AuthFlags) => register(flags, flags.authId))
  admin(
    auth.command('approve [node]'),
    'Let a node take part that waits for it, or confirm an SSH login, as ssh approve.',
  )
    .option('--auth-id <id>', "the node's number, name or address; or the last part of the login's page")
    .action(async (node: string | undefined, flags: AdminFlags & { authId?: string }) => {
      const key = named(node ?? flags.authId, 'node or login')
      const approved = await ask(flags, { verb: 'auth approve', key })
      await show(flags, approved, 'from' in approved ? sshSentence(approved) : takesPart(approved))
    })
  admin(auth.command('reject'), 'Say no to a machine that waits at its login page, or to an SSH login.')
    .requiredOption('--auth-id <id>', "the last part of the page's address")
    .action(async (flags: AuthFlags) => {
      const refused = await ask(flags, { verb: 'auth reject', key: flags.authId })
      await show(flags, refused, 'from' in refused ? sshSentence(refused) : refusedSentence(refused))
    })
}

/** Adds what may be chosen for a machine that is let in. */
export function letsIn(command: Command): Command {
  return command
    .requiredOption('-u, --user <name>', 'who will own it, by name or number')
    .option('--name <name>', 'its name (default: what it calls itself)')
    .option('--address <address>', 'its address, of either family (default: a free one)')
}

/** Lets a machine in. */
export async function register(flags: RegisterFlags, key: string): Promise<void> {
  const { user, name, address } = flags
  const node = await ask(flags, {
    verb: 'nodes register',
    key,
    user,
    ...(name === undefined ? {} : { name }),
    ...(address === undefined ? {} : { address }),
  })
  await show(flags, node, `Node ${node.givenName} is in, with ${node.ipAddresses.join(' and ')}.`)
}

/** Lets a node take part. */
export async function approve(flags: AdminFlags, which: string): Promise<void> {
  const node = await ask(flags, { verb: 'nodes approve', node: which })
  await show(flags, node, takesPart(node))
}

function takesPart({ givenName }: NodeJson): string {
  return `Node ${givenName} takes part.`
}

function refusedSentence({ hostname }: LoginJson): string {
  return `The login of ${hostname || 'the machine'} is refused.`
}
