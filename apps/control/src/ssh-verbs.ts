// `ssh`: what a person decides for somebody who logs in at a node where the policy wants that confirmed.

import type { SshCheckJson } from '@mesh/control-server/node'
import type { Command } from 'commander'
import { show } from './output.ts'
import { admin, type AdminFlags, ask } from './verbs.ts'

/** Adds the verbs of `ssh`. */
export function addSsh(ssh: Command): void {
  admin(ssh.command('approve <id>'), 'Confirm a login, named by the last part of its page.').action(
    async (key: string, flags: AdminFlags) => {
      const approved = await ask(flags, { verb: 'ssh approve', key })
      await show(flags, approved, sshSentence(approved))
    },
  )
  admin(ssh.command('reject <id>'), 'Refuse a login, named likewise.').action(
    async (key: string, flags: AdminFlags) => {
      const refused = await ask(flags, { verb: 'ssh reject', key })
      await show(flags, refused, sshSentence(refused))
    },
  )
}

/** Says what a person decided. */
export function sshSentence({ from, to, localUser, accepted }: SshCheckJson): string {
  return `${from} may ${accepted === null ? 'not ' : ''}log in at ${to} as ${localUser}.`
}
