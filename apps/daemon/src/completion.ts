// Shell completion: `mesh completion SHELL` prints a script, which asks the hidden `mesh complete -- WORDS` what may come
// next. Verbs and flags are the program's own; machines are those that the daemon knows.
import type { PeerStatus, Status } from '@mesh/net'
import tab from '@bomb.sh/tab/commander'
import type { Command } from 'commander'
import { LocalClient } from './local-client.ts'

/** Milliseconds that a person waits for the names of machines after the tab key. */
const PATIENCE = 500

/** Verbs that take a machine, with the argument by which they do. */
const BY_NAME = [
  ['ping', 'name-or-address'],
  ['explain', 'name-or-address'],
  ['ip', 'name'],
] as const

/** Adds the verbs of completion to the program; `words` are the command line's. */
export async function addCompletion(program: Command, words: readonly string[]): Promise<void> {
  const root = tab(program, { completionCommandName: 'completion' })
  const verb = program.commands.find((command) => command.name() === 'completion')
  verb?.description('Print the script by which a shell completes verbs, flags and machines.')
  if (words[0] !== 'complete') return
  const known = await askDaemon(socketOf(program, words))
  const machines = Object.values(known?.Peer ?? {})
  for (const [name, argument] of BY_NAME)
    root.commands.get(name)?.argument(argument, (complete) => {
      for (const machine of machines)
        complete(nameOf(machine, known?.MagicDNSSuffix ?? ''), machine.TailscaleIPs.join(', '))
    })
  root.commands.get('whois')?.argument('address', (complete) => {
    for (const { TailscaleIPs, DNSName } of machines)
      for (const address of TailscaleIPs) complete(address, DNSName.replace(/\.$/, ''))
  })
}

/** The name by which verbs take a machine: short, unless it is one of another network. */
function nameOf({ DNSName }: PeerStatus, suffix: string): string {
  const name = DNSName.replace(/\.$/, '')
  return name.endsWith(`.${suffix}`) ? name.slice(0, -suffix.length - 1) : name
}

/** A shell has no place for what went wrong: without a daemon there are no names. */
function askDaemon(socketPath: string): Promise<Status | undefined> {
  const client = new LocalClient(socketPath, AbortSignal.timeout(PATIENCE))
  return client.status().catch(() => undefined)
}

/** The socket that the line to be completed names, or the usual one. */
function socketOf(program: Command, words: readonly string[]): string {
  const at = words.lastIndexOf('--socket')
  return (at < 0 ? undefined : words[at + 1]) || program.opts<{ socket: string }>().socket
}
