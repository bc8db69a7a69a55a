// The flags, with derper's names and defaults where derper has them (data-plane §2.12).
import { Command, Option } from 'commander'
import {
  duration,
  homePage,
  listenAddress,
  localAddressOrOff,
  names,
  port,
  portOrNone,
  rate,
  regionId,
  siblings,
  truth,
  webUrl,
  workerCount,
} from './flag-values.ts'

/** Ways to come by a certificate. */
export const CERT_MODES = ['letsencrypt', 'gcp', 'manual', 'self-signed'] as const

/** Returns the program's command line. Each option is also a key of the file that `--config` names. */
export function flags(version: string): Command {
  const command = new Command('mesh-relay')
    .description(
      'A DERP relay with a STUN answerer: forwards sealed packets between machines that cannot reach each other.',
    )
    .version(version)
    .allowExcessArguments(false)
    .showSuggestionAfterError(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ optionDescription: describe })
    .addHelpText('after', EXAMPLES)
  for (const [heading, options] of GROUPS)
    for (const option of options()) command.addOption(option.helpGroup(heading))
  return command
}

const EXAMPLES = `
Examples:
  mesh-relay --dev                                             try it on this machine, without TLS
  mesh-relay -c relay.json --certmode self-signed --hostname 192.0.2.1
                                                               no name and no authority: prints the pin for the DERP map
  mesh-relay -c /var/lib/mesh-relay/relay.json --hostname relay.example --acme-email ops@example.com
                                                               a certificate from Let's Encrypt, renewed by itself
  mesh-relay --config /etc/mesh-relay.yaml --configtest        is the configuration good?

SIGHUP reads the certificate and the rate limits again; SIGTERM sends what is held and ends.
`

const GROUPS: readonly (readonly [heading: string, options: () => Option[]])[] = [
  [
    'Where it listens:',
    () => [
      flag(
        '-a, --a <address>',
        'address, [HOST]:PORT; HTTPS on port 443 or when --certmode is given, else HTTP',
      )
        .argParser(listenAddress)
        .default({ host: '', port: 443 }, ':443'),
      flag('--http-port <port>', 'port of the plain HTTP answers beside HTTPS; -1 is none')
        .argParser(portOrNone)
        .default(80),
      flag('--stun-port <port>', 'UDP port of STUN; 0 takes a free one').argParser(port).default(3478),
      toggle('stun', 'whether to answer STUN, on the address of -a', true),
      toggle('derp', 'whether to relay', true),
      flag('--workers <count>', 'threads that relay, on one port; "all" is one for each core')
        .argParser(workerCount)
        .default(1),
      toggle('dev', 'development mode: port 3340, no TLS, and without -c a key that is forgotten', false),
    ],
  ],
  [
    'Who it is:',
    () => [
      flag('-c, --c <path>', "file that keeps the relay's key; made with a fresh key when missing"),
      flag('--hostname <name>', 'what clients dial: the name in the certificate and in the DERP map'),
      flag('--certmode <mode>', 'where the certificate comes from')
        .choices(CERT_MODES)
        .default('letsencrypt'),
      flag(
        '--certdir <path>',
        'directory of HOSTNAME.crt and HOSTNAME.key, and of what ACME keeps (default: that of -c)',
      ),
      flag('--acme-email <address>', 'whom the authority may write to'),
      flag(
        '--acme-directory <url>',
        "the authority's ACME directory (default: that of --certmode)",
      ).argParser(webUrl),
      flag('--acme-eab-kid <id>', 'key ID of an account with the authority; --certmode gcp needs it'),
      flag('--acme-eab-key <key>', 'the HMAC key of that account, in base64; better in the --config file'),
    ],
  ],
  [
    'Who may come in:',
    () => [
      toggle('verify-clients', 'admit only machines that the local daemon knows', false),
      flag('--socket <path>', "the daemon's socket for --verify-clients").default(
        '/var/run/tailscale/tailscaled.sock',
      ),
      flag('--verify-client-url <url>', 'admit only machines that this URL allows').argParser(webUrl),
      toggle('verify-client-url-fail-open', 'admit when that URL does not answer', true),
    ],
  ],
  [
    'Several relays as one region:',
    () => [
      flag('--mesh-psk-file <path>', 'file of the secret that the relays share: 64 hex digits'),
      flag(
        '--mesh-with <hosts>',
        'the others, comma-separated: HOST[:PORT][/DIALHOST][#sha256-raw:PIN]; this one may be among them',
      )
        .argParser(siblings)
        .default([], 'none'),
    ],
  ],
  [
    'Limits:',
    () => [
      flag(
        '--rate-config <path>',
        'JSON file of PerClientRateLimitBytesPerSec and PerClientRateBurstBytes; read again on SIGHUP',
      ),
      flag('--accept-connection-limit <rate>', 'connections to take a second')
        .argParser(rate)
        .default(Infinity, '+Inf'),
      flag(
        '--accept-connection-burst <count>',
        'how many of them may come at once (default: those of a second)',
      ).argParser(rate),
      flag(
        '--tcp-write-timeout <duration>',
        'a receiver that takes nothing for so long is cut off; 0 is never',
      )
        .argParser(duration)
        .default(2_000, '2s'),
      flag(
        '--tcp-keepalive-time <duration>',
        'how long a connection is silent before TCP asks for a sign of life; 0 is never',
      )
        .argParser(duration)
        .default(600_000, '10m'),
      flag(
        '--tcp-user-timeout <duration>',
        'a client that acknowledges nothing for so long has vanished; 0 is as long as the system waits (Linux)',
      )
        .argParser(duration)
        .default(15_000, '15s'),
      flag('--drain-time <duration>', 'how long the end may wait for what is still to be sent')
        .argParser(duration)
        .default(5_000, '5s'),
    ],
  ],
  [
    'What it tells:',
    () => [
      flag(
        '--home <what>',
        'what / shows: nothing given is a short page, "blank", or an http(s) URL to go to',
      )
        .argParser(homePage)
        .default('', 'the page'),
      flag(
        '--metrics-listen <address>',
        'host:port of /metrics and /debug pages, on this machine alone, or off',
      )
        .argParser(localAddressOrOff)
        .default(undefined, 'off'),
      flag('--bootstrap-dns-names <names>', 'names to answer at /bootstrap-dns, comma-separated')
        .argParser(names)
        .default([], 'none'),
      flag(
        '--unpublished-bootstrap-dns-names <names>',
        'names to answer there only when asked for; NAME/TXTNAME reads the percentage of clients from a TXT record',
      )
        .argParser(names)
        .default([], 'none'),
      flag('--region-id <number>', "this relay's region in the DERP map line that is printed")
        .argParser(regionId)
        .default(900),
      flag('--region-code <code>', "the region's short name there").default('mesh'),
    ],
  ],
  [
    'This program:',
    () => [
      flag('--config <path>', 'YAML or JSON file of these flags, without dashes; the command line wins'),
      toggle('configtest', 'check flags and files, say what is wrong, and end', false),
    ],
  ],
]

// Switches that are off say nothing of it.
function describe({ description, argChoices, defaultValue, defaultValueDescription }: Option): string {
  const otherwise = defaultValueDescription ?? (defaultValue === false ? '' : String(defaultValue ?? ''))
  const notes = [
    ...(argChoices === undefined ? [] : [argChoices.join(', ')]),
    ...(otherwise === '' ? [] : [`default: ${otherwise === 'true' ? 'on' : otherwise}`]),
  ]
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`
}

function flag(usage: string, description: string): Option {
  return new Option(usage, description)
}

// Go takes `-stun`, `--stun`, `-stun=false`, never `-stun false`; the last is taken here too.
function toggle(name: string, description: string, otherwise: boolean): Option {
  return flag(`--${name} [bool]`, description).argParser(truth).preset(true).default(otherwise)
}
