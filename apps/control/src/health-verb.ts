// `health`: whether the running server can do its work.

import type { Command } from 'commander'
import { show } from './output.ts'
import { admin, type AdminFlags, ask } from './verbs.ts'

/** Adds the verb. */
export function addHealth(root: Command): void {
  admin(
    root.command('health'),
    'Say whether the server and its database answer; the exit code tells too.',
  ).action(async (flags: AdminFlags) => {
    const health = await ask(flags, { verb: 'health' })
    await show(flags, health, 'The server and its database answer.')
  })
}
