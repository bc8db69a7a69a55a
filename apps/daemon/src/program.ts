// The verbs and flags of the command line. What each does is in commands/.
import { Command, InvalidArgumentError, Option } from 'commander'
import { setAttributes } from './commands/attributes.ts'
import { explain } from './commands/explain.ts'
import { netcheck } from './commands/netcheck.ts'
import { ping, type PingFlags } from './commands/ping.ts'
import { ip, status } from './commands/status.ts'
import { down, set, up, type UpFlags } from './commands/up.ts'
import { version } from './commands/version.ts'
import { wait } from './commands/wait.ts'
import { whois } from './commands/whois.ts'
import { LocalClient } from './local-client.ts'
import { socketToAsk } from './socket-path.ts'
import { VERSION } from './version.ts'

/** How verbs reach the daemon and the person. */
interface Hands {
  readonly client: () => LocalClient
  readonly print: (text: string) => void
}

/** Returns the whole command line, ready to parse. */
export function makeProgram(): Command {
  const mesh = new Command('mesh')
    .description('Talks to meshd, the mesh daemon of this machine.')
    .option('--socket <path>', "path of meshd's socket", socketToAsk())
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this')
    .helpCommand('help [verb]', 'Show what a verb does.')
    .showSuggestionAfterError()
    .configureHelp({ showGlobalOptions: true })
  const hands: Hands = {
    client: () => new LocalClient(mesh.opts<{ socket: string }>().socket),
    print: (text) => void process.stdout.write(`${text}\n`),
  }
  addUp(mesh, hands)
  addState(mesh, hands)
  addQuestions(mesh, hands)
  addPing(mesh, hands)
  addControl(mesh, hands)
  addVersion(mesh, hands)
  return mesh
}

function addUp(mesh: Command, { client, print }: Hands): void {
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
      .addOption(hidden('--authkey <key>'))
      .option('--hostname <name>', "name to go by, instead of the machine's own")
      .option('--reset', 'take the default of every setting that is not named here')
      .addOption(patience())
      .option('--json', 'as JSON: an object with the address of the login, one when it is up')
      // The system's DNS and the routes of others are left alone: to wish that is no contradiction.
      .addOption(hidden('--no-accept-dns'))
      .addOption(hidden('--no-accept-routes'))
      .addOption(hidden('--accept-risk <risk>'))
      .action(async (flags: UpFlags & { authkey?: string }) => {
        const authKey = flags.authkey ?? flags.authKey
        await up(client(), { ...flags, ...(authKey === undefined ? {} : { authKey }) }, print)
      })
  }
}

function addState(mesh: Command, { client }: Hands): void {
  mesh
    .command('set')
    .description('Change settings; the others stay.')
    .option('--hostname <name>', "name to go by; empty for the machine's own")
    .option(
      '--relay-server-port <port>',
      'UDP port on which to relay between peers; 0 for any, empty for not at all',
    )
    .addOption(hidden('--accept-risk <risk>'))
    .action(async (flags) => set(client(), flags))
  mesh
    .command('wait')
    .description('Wait until the node is in the mesh.')
    .addOption(patience())
    .action(async (flags: { timeout: number }) => wait(client(), flags.timeout))
  mesh
    .command('down')
    .description('Leave the mesh; the login stays.')
    .addOption(hidden('--accept-risk <risk>'))
    .addOption(hidden('--reason <text>'))
    .action(async () => down(client()))
  mesh
    .command('logout')
    .description('Leave the mesh and forget the login.')
    .addOption(hidden('--reason <text>'))
    .action(async () => client().logout())
}

function addQuestions(mesh: Command, { client, print }: Hands): void {
  mesh
    .command('status')
    .description('Show this machine and its peers.')
    .option('--json', 'as JSON')
    .option('--active', 'only peers that packets go to')
    .option('--header', 'with a line that names the columns')
    .option('--no-self', 'without this machine')
    .option('--no-peers', 'without the peers')
    .action(async (flags) => print(await status(client(), flags)))
  mesh
    .command('whois <address>')
    .description('Show whose a mesh address is; a port after it does not matter.')
    .option('--json', 'as JSON')
    .addOption(hidden('--proto <protocol>'))
    .action(async (address: string, flags) => print(await whois(client(), address, flags)))
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
    .option('--assert <address>', 'print nothing, and fail unless this machine has that address')
    .action(async (name: string | undefined, flags) => {
      for (const address of await ip(client(), name, flags)) print(address)
    })
  mesh
    .command('netcheck')
    .description('Show what the node found out about the network it sits in.')
    .option('--json', 'as JSON')
    .addOption(
      new Option('--format <format>', 'as JSON, on many lines or one').choices(['json', 'json-line']),
    )
    .addOption(
      new Option('--every <duration>', 'again and again, at this interval')
        .argParser(milliseconds)
        .default(0, 'once'),
    )
    .action(async (flags) => netcheck(client(), flags, print))
}

function addPing(mesh: Command, { client, print }: Hands): void {
  mesh
    .command('ping <name-or-address>')
    .description('Ask a peer for an answer and tell which way it came.')
    .option('-c, --c <count>', 'pings at most; 0 for without end', count, 10)
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for each answer, 10s at most')
        .argParser(milliseconds)
        .default(5000, '5s'),
    )
    .addOption(hidden('--until-direct').default(true))
    .option('--no-until-direct', 'send all pings, also once an answer came over a direct path')
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
    .option('--verbose', 'say which address a name stands for')
    .option('--json', 'a JSON object for each answer')
    .action(async (target: string, flags: PingFlags) => ping(client(), target, flags, print))
}

function addControl(mesh: Command, { client, print }: Hands): void {
  mesh
    .command('id-token <audience>')
    .description('Print a token by which this machine shows an audience who it is.')
    .action(async (audience: string) => print(await client().idToken(audience)))
  mesh
    .command('attributes <custom:name=value...>')
    .description('Set attributes of this device that policies may ask for; an empty value takes one away.')
    .action(async (words: string[]) => setAttributes(client(), words))
}

function addVersion(mesh: Command, { client, print }: Hands): void {
  mesh
    .command('version')
    .description('Show the version.')
    .option('--daemon', "also meshd's")
    .option('--json', 'as JSON')
    .action(async (flags) => print(await version(client(), flags)))
}

function patience(): Option {
  return new Option('--timeout <duration>', 'how long to wait, such as 30s')
    .argParser(milliseconds)
    .default(0, '0s, for ever')
}

/** What scripts written for the family may say, and what changes nothing here. */
function hidden(flags: string): Option {
  return new Option(flags).hideHelp()
}

/** Reads a duration such as 500ms, 30s or 1m30s; a bare number is seconds. */
function milliseconds(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text))
    throw new InvalidArgumentError('It must be a duration such as 30s.')
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = text.matchAll(/([\d.]+)(ms|s|m|h)/g)
  return [...parts].reduce((sum, [, number, unit = '']) => sum + Number(number) * (units[unit] ?? 0), 0)
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}
