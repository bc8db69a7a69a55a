// The UAPI: the text by which `wg` steers an interface that is a program (wireguard.com/xplatform). Lines `key=value`; a
// request is `get=1` or `set=1`, its lines, and an empty line; the answer ends with `errno=` and an empty line.
import { formatEndpoint, formatPrefix, parseEndpoint, parsePrefix, type Prefix } from '@mesh/wire/ip'
import type { InterfaceChange, InterfaceStatus, PeerChange, PeerStatus } from './interface-change.ts'
import { formatHexKey, parseHexKey } from './key-text.ts'

/** What a program asks. */
export type UapiRequest =
  | { readonly kind: 'get' }
  | { readonly kind: 'set'; readonly change: InterfaceChange }
  /** A `set` with a line that says nothing. */
  | { readonly kind: 'invalid'; readonly line: string }
  /** Nothing of the UAPI: the conversation is over. */
  | { readonly kind: 'unknown' }

/** Error numbers of answers, as Linux has them. */
export const UAPI_ERRNO = {
  ok: 0,
  io: -5,
  invalid: -22,
  protocol: -71,
  portInUse: -98,
  unsupported: -95,
} as const

/** A line is a key and a value of a hundred bytes at most; a longer one is not waited for. */
const MAX_LINE = 1_024
const PORT = /^\d{1,5}$/
const MARK = /^(0x[0-9a-fA-F]{1,8}|\d{1,10})$/

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type OpenPeer = Mutable<Omit<PeerChange, 'allowedIps'>> & {
  allowedIps: { prefix: Prefix; remove: boolean }[]
}
type OpenChange = Mutable<Omit<InterfaceChange, 'peers'>> & { peers: OpenPeer[] }

/** Reads what one program writes, however it is cut up. */
export class UapiReader {
  #text = ''
  #operation: 'get' | 'set' | undefined
  #change: OpenChange = { peers: [] }
  #invalid: string | undefined
  #over = false

  /** Takes text and returns the requests that it completes. */
  read(text: string): UapiRequest[] {
    const requests: UapiRequest[] = []
    const lines = (this.#text + text).split('\n')
    this.#text = lines.pop() ?? ''
    for (const line of lines) {
      const request = this.#over ? undefined : this.#readLine(line)
      if (request !== undefined) requests.push(request)
    }
    if (!this.#over && this.#text.length > MAX_LINE) requests.push(this.#end())
    return requests
  }

  #readLine(line: string): UapiRequest | undefined {
    if (line.length > MAX_LINE) return this.#end()
    if (this.#operation === undefined) return this.#begin(line)
    if (line === '') return this.#finish()
    if (this.#operation === 'get') this.#invalid ??= line
    else if (this.#invalid === undefined && !readSetLine(this.#change, line)) this.#invalid = line
    return undefined
  }

  #begin(line: string): UapiRequest | undefined {
    if (line !== 'get=1' && line !== 'set=1') return this.#end()
    this.#operation = line === 'get=1' ? 'get' : 'set'
    this.#change = { peers: [] }
    this.#invalid = undefined
    return undefined
  }

  #finish(): UapiRequest {
    const operation = this.#operation
    this.#operation = undefined
    if (this.#invalid !== undefined) return { kind: 'invalid', line: this.#invalid }
    return operation === 'get' ? { kind: 'get' } : { kind: 'set', change: this.#change }
  }

  #end(): UapiRequest {
    this.#over = true
    this.#text = ''
    return { kind: 'unknown' }
  }
}

/** Adds a line to a change; `false` when it says nothing. */
function readSetLine(change: OpenChange, line: string): boolean {
  const equals = line.indexOf('=')
  if (equals < 0) return false
  const [key, value] = [line.slice(0, equals), line.slice(equals + 1)]
  if (key === 'public_key') {
    const publicKey = parseHexKey(value)
    if (publicKey !== undefined) change.peers.push({ publicKey, allowedIps: [] })
    return publicKey !== undefined
  }
  const peer = change.peers.at(-1)
  return peer === undefined ? readInterfaceLine(change, key, value) : readPeerLine(peer, key, value)
}

function readInterfaceLine(change: OpenChange, key: string, value: string): boolean {
  switch (key) {
    case 'private_key':
      return assign(parseHexKey(value), (privateKey) => (change.privateKey = privateKey))
    case 'listen_port':
      return assign(parsePort(value), (port) => (change.listenPort = port))
    case 'fwmark':
      return assign(parseMark(value), (mark) => (change.fwmark = mark))
    case 'replace_peers':
      change.replacePeers = true
      return value === 'true'
    default:
      return false
  }
}

function readPeerLine(peer: OpenPeer, key: string, value: string): boolean {
  switch (key) {
    case 'remove':
      peer.remove = true
      return value === 'true'
    case 'update_only':
      peer.updateOnly = true
      return value === 'true'
    case 'replace_allowed_ips':
      peer.replaceAllowedIps = true
      peer.allowedIps = []
      return value === 'true'
    case 'preshared_key':
      return assign(parseHexKey(value), (presharedKey) => (peer.presharedKey = presharedKey))
    case 'endpoint':
      return assign(parseEndpoint(value), (endpoint) => (peer.endpoint = endpoint))
    case 'persistent_keepalive_interval':
      return assign(parsePort(value), (seconds) => (peer.keepalive = seconds))
    case 'allowed_ip': {
      const remove = value.startsWith('-')
      const prefix = parsePrefix(remove ? value.slice(1) : value)
      return assign(prefix, (read) => peer.allowedIps.push({ prefix: read, remove }))
    }
    case 'protocol_version':
      return value === '1'
    default:
      return false
  }
}

function assign<T>(value: T | undefined, set: (value: T) => unknown): boolean {
  if (value === undefined) return false
  set(value)
  return true
}

/** A number of 16 bits: a port, or seconds. */
function parsePort(text: string): number | undefined {
  return PORT.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
}

function parseMark(text: string): number | undefined {
  return MARK.test(text) && Number(text) <= 0xffff_ffff ? Number(text) : undefined
}

/** Returns the answer to `get`. It holds the private key, and goes to nobody but who may steer the interface. */
export function formatUapiStatus(status: InterfaceStatus): string {
  const { privateKey, listenPort, fwmark, peers } = status
  const lines = [
    ...(privateKey === undefined ? [] : [`private_key=${formatHexKey(privateKey)}`]),
    ...(listenPort === 0 ? [] : [`listen_port=${listenPort}`]),
    ...(fwmark === 0 ? [] : [`fwmark=${fwmark}`]),
    ...peers.flatMap(formatPeer),
  ]
  return `${lines.map((line) => `${line}\n`).join('')}${formatUapiErrno(UAPI_ERRNO.ok)}`
}

function formatPeer(peer: PeerStatus): string[] {
  const { publicKey, presharedKey, endpoint, lastHandshakeTime: at = 0 } = peer
  const seconds = Math.floor(at / 1000)
  return [
    `public_key=${formatHexKey(publicKey)}`,
    ...(presharedKey === undefined ? [] : [`preshared_key=${formatHexKey(presharedKey)}`]),
    'protocol_version=1',
    ...(endpoint === undefined ? [] : [`endpoint=${formatEndpoint(endpoint)}`]),
    `last_handshake_time_sec=${seconds}`,
    `last_handshake_time_nsec=${Math.floor((at - seconds * 1000) * 1e6)}`,
    `tx_bytes=${peer.sentBytes}`,
    `rx_bytes=${peer.receivedBytes}`,
    `persistent_keepalive_interval=${peer.keepalive}`,
    ...peer.allowedIps.map((prefix) => `allowed_ip=${formatPrefix(prefix)}`),
  ]
}

/** Returns the end of an answer. */
export function formatUapiErrno(errno: number): string {
  return `errno=${errno}\n\n`
}
