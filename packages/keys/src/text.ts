// How keys are written: a prefix that says which kind, then 64 hex digits. Written in lower case, read in either.
// The kinds are types of their own, so that a disco key cannot stand where a node key is meant.
import { checkKey, KEY_LENGTH } from './agreement.ts'

/** A node's public key as text: the key WireGuard knows the node by. */
export type NodeKey = `nodekey:${string}`
/** A disco public key as text: made anew at each start, seals the messages that find paths. */
export type DiscoKey = `discokey:${string}`
/** A machine's public key as text: the identity of an installation towards the control server. */
export type MachineKey = `mkey:${string}`
/** A challenge public key as text, as the control server sends it before the first HTTP/2 byte. */
export type ChallengeKey = `chalpub:${string}`
/** An ed25519 public key of tailnet lock as text. */
export type TailnetLockKey = `nlpub:${string}`
/** A private key as text, of a node or of a machine: one prefix for both, for files only. */
export type PrivateKey = `privkey:${string}`

const HEX = /^[0-9a-f]{64}$/i
const DIGITS = '0123456789abcdef'

function parse(prefix: string, text: string): Uint8Array | undefined {
  if (!text.startsWith(prefix)) return undefined
  return parseHexKey(text.slice(prefix.length))
}

/** Reads `nodekey:` and 64 hex digits, or returns `undefined` when `text` is anything else. */
export function parseNodeKey(text: string): Uint8Array | undefined {
  return parse('nodekey:', text)
}

/** Returns the text form of a node's public key. */
export function formatNodeKey(key: Uint8Array): NodeKey {
  return `nodekey:${formatHexKey(key)}`
}

/** Reads `discokey:` and 64 hex digits, or returns `undefined` when `text` is anything else. */
export function parseDiscoKey(text: string): Uint8Array | undefined {
  return parse('discokey:', text)
}

/** Returns the text form of a disco public key. */
export function formatDiscoKey(key: Uint8Array): DiscoKey {
  return `discokey:${formatHexKey(key)}`
}

/** Reads `mkey:` and 64 hex digits, or returns `undefined` when `text` is anything else. */
export function parseMachineKey(text: string): Uint8Array | undefined {
  return parse('mkey:', text)
}

/** Returns the text form of a machine's public key. */
export function formatMachineKey(key: Uint8Array): MachineKey {
  return `mkey:${formatHexKey(key)}`
}

/** Reads `chalpub:` and 64 hex digits, or returns `undefined` when `text` is anything else. */
export function parseChallengeKey(text: string): Uint8Array | undefined {
  return parse('chalpub:', text)
}

/** Returns the text form of a challenge public key. */
export function formatChallengeKey(key: Uint8Array): ChallengeKey {
  return `chalpub:${formatHexKey(key)}`
}

/** Reads `nlpub:` (or `tlpub:`, as people type it) and 64 hex digits, or returns `undefined` for anything else. */
export function parseTailnetLockKey(text: string): Uint8Array | undefined {
  return parse('nlpub:', text) ?? parse('tlpub:', text)
}

/** Returns the text form of a tailnet-lock public key. */
export function formatTailnetLockKey(key: Uint8Array): TailnetLockKey {
  return `nlpub:${formatHexKey(key)}`
}

/** Reads `privkey:` and 64 hex digits, or returns `undefined` when `text` is anything else. */
export function parsePrivateKey(text: string): Uint8Array | undefined {
  return parse('privkey:', text)
}

/** Returns the text form of a private key. It is a secret: for files of mode 0600, never for logs. */
export function formatPrivateKey(key: Uint8Array): PrivateKey {
  return `privkey:${formatHexKey(key)}`
}

/** Reads 64 hex digits without a prefix, or returns `undefined` when `text` is anything else. */
export function parseHexKey(text: string): Uint8Array | undefined {
  if (!HEX.test(text)) return undefined
  return Uint8Array.from({ length: KEY_LENGTH }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/**
 * Returns 64 lower-case hex digits.
 *
 * @throws RangeError when `key` is not 32 bytes.
 */
export function formatHexKey(key: Uint8Array): string {
  let text = ''
  for (const byte of checkKey(key, 'key')) text += DIGITS.charAt(byte >> 4) + DIGITS.charAt(byte & 15)
  return text
}

/** Tells whether every byte is zero: the form in which "no key" is written where a field may not be left out. */
export function isZeroKey(key: Uint8Array): boolean {
  let bits = 0
  for (const byte of key) bits |= byte
  return bits === 0
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Returns the short form of a public key for people: five base64 letters in brackets, `[AbC1+]`. */
export function shortKey(key: Uint8Array): string {
  const [a = 0, b = 0, c = 0, d = 0] = checkKey(key, 'key')
  const letters = [a >> 2, ((a & 3) << 4) | (b >> 4), ((b & 15) << 2) | (c >> 6), c & 63, d >> 2]
  return `[${letters.map((letter) => BASE64.charAt(letter)).join('')}]`
}
