// `policy`: what the network allows.

import { readFileSync } from 'node:fs'
import { reasonOf, replaceFile } from '@mesh/sansio/node'
import type { Command } from 'commander'
import { CommandError } from './command-error.ts'
import { formatOf, print, show } from './output.ts'
import { admin, type AdminFlags, ask } from './verbs.ts'

interface FileFlags extends AdminFlags {
  readonly file: string
}

/** Adds the verbs of `policy`. */
export function addPolicy(policy: Command): void {
  admin(
    policy.command('get').aliases(['show', 'view', 'fetch']),
    'Print the policy in force, as it was written.',
  )
    .option('-f, --file <path>', 'write it there instead')
    .action(async (flags: AdminFlags & { file?: string }) => {
      const found = await ask(flags, { verb: 'policy get' })
      if (formatOf(flags) !== undefined) return show(flags, found, found.policy)
      if (found.id === 0) throw new CommandError('No policy was written: everybody may reach everybody.')
      if (flags.file === undefined) return print(found.policy.replace(/\n$/, ''))
      writePolicyFile(flags.file, found.policy)
    })
  fromFile(
    policy.command('set').aliases(['put', 'update']),
    'Put a policy in force, if it makes sense and passes its own tests.',
  ).action(async (flags: FileFlags) => {
    const set = await ask(flags, { verb: 'policy set', policy: readPolicyFile(flags.file) })
    await show(flags, set, `Policy ${set.id} is in force.`)
  })
  fromFile(
    policy.command('check'),
    'Say whether a policy makes sense and passes its own tests. Changes nothing.',
  ).action(async (flags: FileFlags) => {
    await ask(flags, { verb: 'policy check', policy: readPolicyFile(flags.file) })
    await show(flags, { valid: true }, 'The policy is valid.')
  })
}

function fromFile(command: Command, description: string): Command {
  return admin(command, description).requiredOption(
    '-f, --file <path>',
    'the policy, HuJSON; - for standard input',
  )
}

function readPolicyFile(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw new CommandError(`The policy cannot be read: ${reasonOf(error)}.`, { cause: error })
  }
}

function writePolicyFile(path: string, policy: string): void {
  try {
    replaceFile(path, policy, 0o644)
  } catch (cause) {
    throw new CommandError(`The file ${path} cannot be written: ${reasonOf(cause)}.`, { cause })
  }
}
