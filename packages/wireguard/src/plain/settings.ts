// Settings of an interface as a person writes them: keys in base64, addresses and endpoints in text, as in a file of `wg`.
import {
  type Endpoint,
  hostPrefix,
  parseAddress,
  parseEndpoint,
  parsePrefix,
  type Prefix,
} from '@mesh/wire/ip'
import type { InterfaceChange, PeerChange } from './interface-change.ts'
import { parseKey } from './key-text.ts'

/** A peer, in text. */
export interface PeerSettings {
  /** Its public key, base64. */
  readonly publicKey: string
  /** A key both know beforehand, base64. */
  readonly presharedKey?: string
  /** `host:port` to begin with; it roams from there. Left out for a peer that begins. */
  readonly endpoint?: string
  /** Its addresses: `10.0.0.2/32`, `fd00::/64`, or without a length for one. */
  readonly allowedIps: readonly string[]
  /** Seconds of silence after which an empty packet keeps a NAT open. */
  readonly persistentKeepalive?: number
}

/** An interface, in text. */
export interface InterfaceSettings {
  /** Own private key, base64. */
  readonly privateKey?: string
  /** The UDP port to listen at; any when left out. */
  readonly listenPort?: number
  /** The mark of what is sent, for routing rules. */
  readonly fwmark?: number
  /** The peers; none when left out. */
  readonly peers?: readonly PeerSettings[]
}

const HOST_PORT = /^(\[[^\]\s]+\]|[^\s:[\]]+):(\d{1,5})$/

/**
 * Returns the change that makes an interface be so, all its peers replaced. Endpoints that are names are given to `resolve`.
 *
 * @throws TypeError or RangeError naming the setting that does not read.
 */
export function changeFor(
  settings: InterfaceSettings,
  resolve: (name: string) => Endpoint | undefined = parseEndpoint,
): InterfaceChange {
  const { privateKey, listenPort, fwmark, peers = [] } = settings
  return {
    ...(privateKey === undefined ? {} : { privateKey: readKey(privateKey, 'privateKey') }),
    ...(listenPort === undefined ? {} : { listenPort: readNumber(listenPort, 'listenPort', 0xffff) }),
    ...(fwmark === undefined ? {} : { fwmark: readNumber(fwmark, 'fwmark', 0xffff_ffff) }),
    replacePeers: true,
    peers: peers.map((peer, index) => readPeer(peer, `peers[${index}]`, resolve)),
  }
}

function readPeer(
  settings: PeerSettings,
  name: string,
  resolve: (name: string) => Endpoint | undefined,
): PeerChange {
  const { publicKey, presharedKey, endpoint, allowedIps, persistentKeepalive = 0 } = settings
  const where = endpoint === undefined ? undefined : resolve(checkEndpoint(endpoint, `${name}.endpoint`))
  return {
    publicKey: readKey(publicKey, `${name}.publicKey`),
    presharedKey:
      presharedKey === undefined ? new Uint8Array(32) : readKey(presharedKey, `${name}.presharedKey`),
    ...(where === undefined ? {} : { endpoint: where }),
    keepalive: readNumber(persistentKeepalive, `${name}.persistentKeepalive`, 0xffff),
    replaceAllowedIps: true,
    allowedIps: allowedIps.map((text, index) => ({
      prefix: readPrefix(text, `${name}.allowedIps[${index}]`),
      remove: false,
    })),
  }
}

/** Reads a key of base64. @throws TypeError naming it. */
export function readKey(text: string, name: string): Uint8Array {
  const key = parseKey(text)
  if (key === undefined) throw new TypeError(`${name}: not a key, which is 44 characters of base64`)
  return key
}

/** Reads a range, or an address alone. @throws TypeError naming it. */
export function readPrefix(text: string, name: string): Prefix {
  const address = parseAddress(text)
  const prefix = address === undefined ? parsePrefix(text) : hostPrefix(address)
  if (prefix === undefined) throw new TypeError(`${name}: not an address or a range: ${JSON.stringify(text)}`)
  return prefix
}

/** Returns an endpoint's text when it is `host:port`. @throws TypeError naming it. */
export function checkEndpoint(text: string, name: string): string {
  const [, , port] = HOST_PORT.exec(text) ?? []
  if (port === undefined || Number(port) > 0xffff) {
    throw new TypeError(`${name}: not host:port: ${JSON.stringify(text)}`)
  }
  return text
}

/** Returns a whole number from 0 to `most`. @throws RangeError naming it. */
export function readNumber(value: number, name: string, most: number): number {
  if (!Number.isInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${name}: not a whole number from 0 to ${most}: ${value}`)
  }
  return value
}
