// What the program is told, by its command line and by the file that this names. Flags may be written in the manner of Go
// programs too: one dash or two, `-stun=false`.
import { CommanderError, type Command } from 'commander'
import { Failure, USAGE } from './failure.ts'
import { type CERT_MODES, flags } from './flags.ts'
import type { ListenAddress } from './flag-values.ts'
import type { SiblingAddress } from './mesh.ts'
import { applySettingsFile } from './settings-file.ts'

/** The port of the development mode. */
const DEV_PORT = 3340

/** The port on which a relay without other words speaks HTTPS. */
const HTTPS_PORT = 443

/** Everything that the program may be told; durations in milliseconds. */
export interface Settings {
  readonly a: ListenAddress
  readonly c?: string
  readonly dev: boolean
  readonly derp: boolean
  readonly workers: number
  readonly stun: boolean
  readonly stunPort: number
  readonly httpPort: number
  readonly hostname?: string
  readonly certmode: (typeof CERT_MODES)[number]
  readonly certdir?: string
  readonly acmeEmail?: string
  readonly acmeDirectory?: string
  readonly acmeEabKid?: string
  readonly acmeEabKey?: string
  readonly home: string
  readonly metricsListen?: ListenAddress
  readonly bootstrapDnsNames: readonly string[]
  readonly unpublishedBootstrapDnsNames: readonly string[]
  readonly verifyClients: boolean
  readonly socket: string
  readonly verifyClientUrl?: string
  readonly verifyClientUrlFailOpen: boolean
  readonly tcpWriteTimeout: number
  readonly tcpKeepaliveTime: number
  readonly tcpUserTimeout: number
  readonly drainTime: number
  readonly meshPskFile?: string
  readonly meshWith: readonly SiblingAddress[]
  readonly rateConfig?: string
  readonly acceptConnectionLimit: number
  readonly acceptConnectionBurst?: number
  readonly regionId: number
  readonly regionCode: string
  readonly config?: string
  readonly configtest: boolean
  /** Whether it speaks HTTPS: on port 443, and wherever a way to a certificate is given. */
  readonly secure: boolean
}

/** Says that the program should end well without serving: help or the version was asked for, and printed. */
export class Answered extends Error {}

/**
 * Reads the command line and the file that it names.
 *
 * @throws Failure with exit code 2 when they make no sense, and {@link Answered} after `--help` and `--version`.
 */
export function readSettings(args: readonly string[], version: string): Settings {
  const command = flags(version)
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
  const { config } = command.opts<Settings>()
  if (config !== undefined) applySettingsFile(config, command)
  return together(command)
}

// What one setting means for another.
function together(command: Command): Settings {
  const settings = command.opts<Settings>()
  const given = (name: keyof Settings): boolean =>
    ['cli', 'config'].includes(command.getOptionValueSource(name) ?? '')
  if (settings.meshWith.length > 0 && settings.meshPskFile === undefined)
    throw new Failure('--mesh-with needs --mesh-psk-file; see mesh-relay --help.', USAGE)
  const a = settings.dev && !given('a') ? { host: '', port: DEV_PORT } : settings.a
  return { ...settings, a, secure: a.port === HTTPS_PORT || given('certmode') }
}

function asLongFlag(arg: string, command: Command): string {
  const name = /^-([a-z][a-z0-9-]*)(=|$)/.exec(arg)?.[1]
  const known = name === 'help' || command.options.some((option) => option.long === `--${name}`)
  return known ? `-${arg}` : arg
}
