// The command line. Flags have derper's names and defaults, and may be written in the manner of Go programs too:
// one dash or two, `-stun=false` (data-plane §2.12).
import { isIP } from 'node:net'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { Failure, USAGE } from './failure.ts'
import { parseSibling, type SiblingAddress } from './mesh.ts'

/** The port of the development mode. */
const DEV_PORT = 3340

/** Where to listen: no host means every address. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Ways to come by a certificate. `letsencrypt` is known but not available yet. */
export const CERT_MODES = ['letsencrypt', 'manual', 'self-signed'] as const

/** What the command line says. */
export interface Settings {
  readonly a: ListenAddress
  readonly c?: string
  readonly dev: boolean
  readonly derp: boolean
  readonly stun: boolean
  readonly stunPort: number
  readonly httpPort: number
  readonly hostname?: string
  readonly certmode: (typeof CERT_MODES)[number]
  readonly certdir?: string
  readonly home: string
  readonly verifyClients: boolean
  readonly socket: string
  readonly verifyClientUrl?: string
  readonly verifyClientUrlFailOpen: boolean
  readonly tcpWriteTimeout: number
  readonly meshPskFile?: string
  readonly meshWith: readonly SiblingAddress[]
  readonly rateConfig?: string
  readonly acceptConnectionLimit: number
  readonly acceptConnectionBurst?: number
  readonly regionId: number
  readonly regionCode: string
}

/** Says that the program should end well without serving: help or the version was asked for, and printed. */
export class Answered extends Error {}

/**
 * Reads the command line.
 *
 * @throws Failure with exit code 2 when it makes no sense, and {@link Answered} after `--help` and `--version`.
 */
export function readSettings(args: readonly string[], version: string): Settings {
  const command = program(version)
  try {
    command.parse(
      args.map((arg) => asLongFlag(arg, command)),
      { from: 'user' },
    )
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode === 0) throw new Answered('', { cause: error })
    const sentence = error.message.replace(/^error: /, '').replace(/\.$/, '')
    throw new Failure(`${sentence}; see mesh-relay --help.`, USAGE, { cause: error })
  }
  const settings = command.opts<Settings>()
  const explicit = command.getOptionValueSource('a') === 'cli'
  if (settings.meshWith.length > 0 && settings.meshPskFile === undefined)
    throw new Failure('--mesh-with needs --mesh-psk-file; see mesh-relay --help.', USAGE)
  return settings.dev && !explicit ? { ...settings, a: { host: '', port: DEV_PORT } } : settings
}

function program(version: string): Command {
  return new Command('mesh-relay')
    .description(
      'A DERP relay with a STUN answerer: forwards sealed packets between machines that cannot reach each other.',
    )
    .version(version)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .addOption(
      new Option(
        '-a, --a <address>',
        'address to listen on, [HOST]:PORT; HTTPS on port 443 or with a --certmode that has a certificate, else HTTP',
      )
        .argParser(listenAddress)
        .default({ host: '', port: 443 }, ':443'),
    )
    .option('-c, --c <path>', "file that keeps the relay's key; made with a fresh key when missing")
    .option('--dev', 'development mode: port 3340, no TLS, and without -c a key that is forgotten', false)
    .addOption(switchOption('derp', 'whether to relay', true))
    .addOption(switchOption('stun', 'whether to answer STUN, on the address of -a', true))
    .option('--stun-port <port>', 'UDP port of STUN; 0 takes a free one', port, 3478)
    .option('--http-port <port>', 'port of the plain HTTP answers beside HTTPS; -1 is none', portOrNone, 80)
    .option('--hostname <name>', 'what clients dial: the name in the certificate and in the DERP map')
    .addOption(
      new Option('--certmode <mode>', 'where the certificate comes from')
        .choices(CERT_MODES)
        .default('letsencrypt'),
    )
    .option('--certdir <path>', 'directory of HOSTNAME.crt and HOSTNAME.key (default: that of -c)')
    .option(
      '--home <what>',
      'what / shows: nothing given is a short page, "blank", or an http(s) URL to go to',
      homePage,
      '',
    )
    .addOption(switchOption('verify-clients', 'admit only machines that the local daemon knows', false))
    .option(
      '--socket <path>',
      "the daemon's socket for --verify-clients",
      '/var/run/tailscale/tailscaled.sock',
    )
    .option('--verify-client-url <url>', 'admit only machines that this URL allows', webUrl)
    .addOption(switchOption('verify-client-url-fail-open', 'admit when that URL does not answer', true))
    .option(
      '--tcp-write-timeout <duration>',
      'a receiver that takes nothing for so long is cut off; 0 is never',
      duration,
      2_000,
    )
    .option('--mesh-psk-file <path>', 'file of the secret that the relays of one mesh share: 64 hex digits')
    .option(
      '--mesh-with <hosts>',
      'relays to mesh with, comma-separated: HOST[:PORT][/DIALHOST][#sha256-raw:PIN]; this one may be among them',
      siblings,
      [],
    )
    .option(
      '--rate-config <path>',
      'JSON file of PerClientRateLimitBytesPerSec and PerClientRateBurstBytes; read again on SIGHUP',
    )
    .option('--accept-connection-limit <rate>', 'connections to take a second', rate, Infinity)
    .option(
      '--accept-connection-burst <count>',
      'how many of them may come at once (default: those of a second)',
      rate,
    )
    .option('--region-id <number>', "this relay's region in the DERP map line that is printed", regionId, 900)
    .option('--region-code <code>', "the region's short name there", 'mesh')
}

// Go takes `-stun`, `--stun`, `-stun=false`, never `-stun false`; the last is taken here too.
function switchOption(name: string, description: string, otherwise: boolean): Option {
  return new Option(`--${name} [bool]`, description).argParser(truth).preset(true).default(otherwise)
}

function asLongFlag(arg: string, command: Command): string {
  const name = /^-([a-z][a-z0-9-]*)(=|$)/.exec(arg)?.[1]
  const known = name === 'help' || command.options.some((option) => option.long === `--${name}`)
  return known ? `-${arg}` : arg
}

function listenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(':')
  const host = text.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1')
  if (colon === -1 || (host !== '' && isIP(host) === 0))
    throw new InvalidArgumentError('Write it as :443, 192.0.2.1:443 or [2001:db8::1]:443')
  return { host, port: port(text.slice(colon + 1)) }
}

function port(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : -1
  if (number < 0 || number > 65_535) throw new InvalidArgumentError('A port is a number from 0 to 65535')
  return number
}

function portOrNone(text: string): number {
  return text === '-1' ? -1 : port(text)
}

function truth(text: string | true): boolean {
  if (text === true || ['1', 't', 'true'].includes(text.toLowerCase())) return true
  if (['0', 'f', 'false'].includes(text.toLowerCase())) return false
  throw new InvalidArgumentError('Write true or false')
}

function duration(text: string): number {
  const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  if (text !== '0' && unit === '') throw new InvalidArgumentError('Write it as 500ms, 2s or 1m')
  return text === '0' ? 0 : Number(amount) * (units[unit] ?? 0)
}

function siblings(text: string): SiblingAddress[] {
  return text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const sibling = parseSibling(each)
      if (sibling === undefined)
        throw new InvalidArgumentError('Write it as relay.example or relay.example:443/192.0.2.1')
      return sibling
    })
}

function rate(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity
  const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0
  if (number <= 0) throw new InvalidArgumentError('Write a number above 0')
  return number
}

function regionId(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0
  if (number < 1 || number > 65_535) throw new InvalidArgumentError('A region is a number from 1 to 65535')
  return number
}

function webUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw new InvalidArgumentError('Write it as https://control.example/verify')
  return text
}

function homePage(text: string): string {
  return text === '' || text === 'blank' ? text : webUrl(text)
}
