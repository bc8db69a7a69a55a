// Reads the files that `wg` and `wg-quick` read: sections in brackets, `Key = value`, comments after `#`.
import { withoutKeys } from './key-text.ts'
import {
  checkEndpoint,
  type InterfaceSettings,
  type PeerSettings,
  readKey,
  readNumber,
  readPrefix,
} from './settings.ts'

/** A file of `wg` that does not read. Its message is one sentence with the number of the line, and never shows a key. */
export class ConfigError extends Error {
  readonly code = 'ERR_WIREGUARD_CONFIG'
  /** The line, from 1. */
  readonly line: number

  constructor(line: number, reason: string) {
    super(`line ${line}: ${withoutKeys(reason)}`)
    this.name = 'ConfigError'
    this.line = line
  }
}

/** What a file says. */
export interface WireGuardConfig extends InterfaceSettings {
  readonly peers: readonly PeerSettings[]
  /** `Address`: addresses for the interface, with their lengths. */
  readonly addresses: readonly string[]
  /** `MTU`. */
  readonly mtu?: number
  /** Keys of `wg-quick` that are known and left to the caller: `DNS`, `Table`, `PostUp` and their like. */
  readonly unused: readonly string[]
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type OpenPeer = Mutable<PeerSettings> & { allowedIps: string[] }
interface OpenConfig extends Mutable<Omit<WireGuardConfig, 'peers' | 'addresses' | 'unused'>> {
  peers: OpenPeer[]
  addresses: string[]
  unused: string[]
}

const UNUSED = ['dns', 'table', 'preup', 'postup', 'predown', 'postdown', 'saveconfig']
const WHOLE = /^\d+$/
const MARK = /^(0x[0-9a-f]+|\d+)$/i

/**
 * Reads a file of `wg` or `wg-quick`.
 *
 * @throws ConfigError for the first line that does not read, or a peer without a key.
 */
export function parseConfig(text: string): WireGuardConfig {
  const config: OpenConfig = { peers: [], addresses: [], unused: [] }
  let section = ''
  let opened = 0
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = (raw.split('#')[0] ?? '').trim()
    if (line === '') continue
    if (line.startsWith('[')) {
      checkPeer(config, section, opened)
      section = line.toLowerCase()
      opened = index + 1
      if (section === '[peer]') config.peers.push({ publicKey: '', allowedIps: [] })
      else if (section !== '[interface]') throw new ConfigError(opened, `there is no section ${line}`)
    } else readLine(config, section, line, index + 1)
  }
  checkPeer(config, section, opened)
  return config
}

function checkPeer(config: OpenConfig, section: string, line: number): void {
  if (section === '[peer]' && config.peers.at(-1)?.publicKey === '') {
    throw new ConfigError(line, 'the peer has no PublicKey')
  }
}

function readLine(config: OpenConfig, section: string, line: string, number: number): void {
  const equals = line.indexOf('=')
  if (equals < 0) throw new ConfigError(number, 'not of the form Key = value')
  const name = line.slice(0, equals).trim()
  const value = line.slice(equals + 1).trim()
  const peer = config.peers.at(-1)
  try {
    if (section === '') throw new TypeError(`${name} stands before [Interface] or [Peer]`)
    const known =
      section === '[peer]' && peer !== undefined
        ? readPeerKey(peer, name, value)
        : readInterfaceKey(config, name, value)
    if (!known) throw new TypeError(`there is no ${name} in ${section}`)
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw new ConfigError(number, error.message)
    throw error
  }
}

function readInterfaceKey(config: OpenConfig, name: string, value: string): boolean {
  const key = name.toLowerCase()
  if (key === 'privatekey') config.privateKey = checkKey(value, name)
  else if (key === 'listenport') config.listenPort = readWhole(value, name, 0xffff)
  else if (key === 'fwmark') config.fwmark = readMark(value, name)
  else if (key === 'address') config.addresses.push(...readPrefixes(value, name))
  else if (key === 'mtu') config.mtu = readWhole(value, name, 65_535)
  else if (UNUSED.includes(key)) config.unused.push(name)
  else return false
  return true
}

function readPeerKey(peer: OpenPeer, name: string, value: string): boolean {
  const key = name.toLowerCase()
  if (key === 'publickey') peer.publicKey = checkKey(value, name)
  else if (key === 'presharedkey') peer.presharedKey = checkKey(value, name)
  else if (key === 'allowedips') peer.allowedIps.push(...readPrefixes(value, name))
  else if (key === 'endpoint') peer.endpoint = checkEndpoint(value, name)
  else if (key === 'persistentkeepalive') {
    peer.persistentKeepalive = value.toLowerCase() === 'off' ? 0 : readWhole(value, name, 0xffff)
  } else return false
  return true
}

function checkKey(value: string, name: string): string {
  readKey(value, name)
  return value
}

/** A list with commas. An address alone gets its full length. */
function readPrefixes(value: string, name: string): string[] {
  const texts = value.split(',').map((text) => text.trim())
  if (texts.length === 1 && texts[0] === '') return []
  return texts
    .map((text) => (text.includes('/') ? text : `${text}/${readPrefix(text, name).bits}`))
    .map((text) => {
      readPrefix(text, name)
      return text
    })
}

function readWhole(value: string, name: string, most: number): number {
  if (!WHOLE.test(value)) throw new TypeError(`${name}: not a whole number: ${JSON.stringify(value)}`)
  return readNumber(Number(value), name, most)
}

function readMark(value: string, name: string): number {
  if (value.toLowerCase() === 'off') return 0
  if (!MARK.test(value)) throw new TypeError(`${name}: not a number or "off": ${JSON.stringify(value)}`)
  return readNumber(Number(value), name, 0xffff_ffff)
}
