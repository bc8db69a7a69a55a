#!/usr/bin/env node
// The command line: reads flags, asks the daemon through its socket, prints the answer. Every failure is one
// sentence on stderr and exit code 1.
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import { Command, InvalidArgumentError, Option } from 'commander'
import { setAttributes } from './commands/attributes.ts'
import { explain } from './commands/explain.ts'
import { netcheck } from './commands/netcheck.ts'
import { ping } from './commands/ping.ts'
import { ip, status } from './commands/status.ts'
import { down, set, up, type UpFlags } from './commands/up.ts'
import { wait } from './commands/wait.ts'
import { whois } from './commands/whois.ts'
import { CommandError, LocalClient } from './local-client.ts'
import { defaultSocketPath } from './socket-path.ts'
import { VERSION } from './version.ts'

interface PingOptions {
  c: number
  untilDirect: boolean
  tsmp?: boolean
  icmp?: boolean
  peerapi?: boolean
  json?: boolean
  overRelay?: boolean
  size: number
}

function program(): Command {
  const mesh = new Command('mesh')
    .description('Talks to meshd, the mesh daemon of this machine.')
    .option('--socket <path>', "path of meshd's socket", defaultSocketPath())
    .version(VERSION)
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
  const client = (): LocalClient => new LocalClient(mesh.opts<{ socket: string }>().socket)
  const print = (text: string): void => void process.stdout.write(`${text}\n`)

  for (const [verb, description] of [
    ['up', 'Join the mesh, logging in when needed.'],
    ['login', 'Log this machine in, and join the mesh.'],
  ] as const) {
    mesh
      .command(verb)
      .description(description)
      .option('--login-server <url>', 'address of the control server')
      .addOption(
        new Option('--auth-key <key>', 'key that admits this machine, or file:PATH of one').env(
          'MESH_AUTHKEY',
        ),
      )
      .addOption(new Option('--authkey <key>').hideHelp())
      .option('--hostname <name>', "name to go by, instead of the machine's own")
      .option('--timeout <duration>', 'how long to wait, such as 30s (0s: for ever)', milliseconds, 0)
      .action(async (flags: UpFlags & { authkey?: string }) => {
        const authKey = flags.authkey ?? flags.authKey
        await up(client(), { ...flags, ...(authKey === undefined ? {} : { authKey }) })
      })
  }
  mesh
    .command('set')
    .description('Change settings; the others stay.')
    .option('--hostname <name>', "name to go by; empty for the machine's own")
    .option(
      '--relay-server-port <port>',
      'UDP port on which to relay between peers; 0 for any, empty for not at all',
    )
    .action(async (flags) => set(client(), flags))
  mesh
    .command('wait')
    .description('Wait until the node is in the mesh.')
    .option('--timeout <duration>', 'how long to wait, such as 30s (0s: for ever)', milliseconds, 0)
    .action(async (flags: { timeout: number }) => wait(client(), flags.timeout))
  mesh
    .command('down')
    .description('Leave the mesh; the login stays.')
    .addOption(new Option('--accept-risk <risk>').hideHelp())
    .action(async () => down(client()))
  mesh
    .command('logout')
    .description('Leave the mesh and forget the login.')
    .action(async () => client().logout())
  mesh
    .command('status')
    .description('Show this machine and its peers.')
    .option('--json', 'as JSON')
    .option('--active', 'only peers that packets go to')
    .option('--self [bool]', 'show this machine', bool, true)
    .option('--peers [bool]', 'show the peers', bool, true)
    .action(async (flags) => print(await status(client(), flags)))
  mesh
    .command('whois <address>')
    .description('Show whose a mesh address is; a port after it does not matter.')
    .option('--json', 'as JSON')
    .action(async (address: string, flags) => print(await whois(client(), address, flags)))
  mesh
    .command('ping <name-or-address>')
    .description('Ask a peer for an answer and tell which way it came.')
    .option('-c, --c <count>', 'pings at most; 0 for without end', count, 10)
    .option('--until-direct [bool]', 'stop at the first answer over a direct path', bool, true)
    .option('--no-until-direct', 'send all pings')
    .option('--tsmp', 'through the tunnel, answered by the daemon')
    .option('--icmp', "through the tunnel, answered by the peer's own stack")
    .option('--peerapi', 'to the PeerAPI that some peers offer, through the tunnel')
    .option('--over-relay', "through the peer's relay alone")
    .option(
      '--size <bytes>',
      'size of the packet, to see what passes (not with --tsmp, --icmp, --peerapi); 0 for the least',
      count,
      0,
    )
    .option('--json', 'a JSON object for each answer')
    .action(async (target: string, flags: PingOptions) => {
      const type = flags.tsmp ? 'TSMP' : flags.icmp ? 'ICMP' : flags.peerapi ? 'peerapi' : 'disco'
      await ping(
        client(),
        target,
        { ...flags, json: flags.json ?? false, overRelay: flags.overRelay ?? false, type },
        print,
      )
    })
  mesh
    .command('explain <name-or-address>')
    .description('Tell why the path to a peer is as it is, and what would make it direct.')
    .option('--json', 'as JSON')
    .action(async (target: string, flags) => print(await explain(client(), target, flags)))
  mesh
    .command('ip [name]')
    .description("Show this machine's mesh addresses, or those of a peer.")
    .option('-1', 'only the first')
    .option('-4', 'the IPv4 one')
    .option('-6', 'the IPv6 one')
    .action(async (name: string | undefined, flags) => print(await ip(client(), name, flags)))
  mesh
    .command('id-token <audience>')
    .description('Print a token by which this machine shows an audience who it is.')
    .action(async (audience: string) => print(await client().idToken(audience)))
  mesh
    .command('attributes <custom:name=value...>')
    .description('Set attributes of this device that policies may ask for; an empty value takes one away.')
    .action(async (words: string[]) => setAttributes(client(), words))
  mesh
    .command('netcheck')
    .description('Show what the node found out about the network it sits in.')
    .option('--json', 'as JSON')
    .addOption(
      new Option('--format <format>', 'as JSON, on many lines or one').choices(['json', 'json-line']),
    )
    .option('--every <duration>', 'again and again, at this interval', milliseconds, 0)
    .action(async (flags) => netcheck(client(), flags, print))
  mesh
    .command('version')
    .description('Show the version.')
    .option('--json', 'as JSON')
    .action((flags: { json?: boolean }) => {
      const long = { majorMinorPatch: VERSION, short: VERSION, long: VERSION, cap: CAPABILITY_VERSION }
      print(flags.json ? JSON.stringify(long, undefined, 2) : `${VERSION}\n  node: ${process.version}`)
    })
  return mesh
}

/** Reads a duration such as 500ms, 30s or 2m; a bare number is seconds. */
function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text)
  if (!match) throw new InvalidArgumentError('It must be a duration such as 30s.')
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? 's'] ?? 1000
  return Number(match[1]) * unit
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

function bool(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw new InvalidArgumentError('It must be true or false.')
}

try {
  await program().parseAsync()
} catch (error) {
  const known = error instanceof CommandError
  process.stderr.write(
    `${known ? error.message : `mesh failed: ${error instanceof Error ? error.message : String(error)}`}\n`,
  )
  process.exitCode = 1
}
