// `backup` and `restore`, of the running server, whatever its database is.

import { readFileSync } from 'node:fs'
import { createFile, reasonOf } from '@mesh/sansio/node'
import type { Command } from 'commander'
import { CommandError } from './command-error.ts'
import { show } from './output.ts'
import { admin, type AdminFlags, ask } from './verbs.ts'

/** Adds both verbs. */
export function addBackup(root: Command): void {
  admin(
    root.command('backup [file]'),
    'Write everything the server remembers to a file, or to standard output.',
  ).action(async (file: string | undefined, flags: AdminFlags) => {
    const { backup } = await ask(flags, { verb: 'backup' })
    if (file === undefined) process.stdout.write(backup)
    else writePrivately(file, backup)
  })
  admin(
    root.command('restore <file>'),
    'Put a backup in the place of everything the server remembers.',
  ).action(async (file: string, flags: AdminFlags) => {
    const restored = await ask(flags, { verb: 'restore', backup: read(file) })
    await show(flags, restored, `Restored ${restored.users} users and ${restored.nodes} nodes.`)
  })
}

/** A backup says who is in the network: only its owner may read it. It never takes the place of another file. */
function writePrivately(path: string, text: string): void {
  try {
    if (!createFile(path, text)) throw new Error('it is there already')
  } catch (cause) {
    throw new CommandError(`${path} cannot be written: ${reasonOf(cause)}.`, { cause })
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new CommandError(`${path} cannot be read: ${reasonOf(cause)}.`, { cause })
  }
}
