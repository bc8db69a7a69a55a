// WireGuard's handshake (data-plane.md 1.1, 1.2): Noise IKpsk2 inside messages of fixed layout. The fields for the
// two MACs are left zero here; mac.ts fills and checks them.
//
//   initiation  1 | sender u32le | ephemeral 32 | static 32+16 | timestamp 12+16 | mac1 16 | mac2 16    = 148
//   response    2 | sender u32le | receiver u32le | ephemeral 32 | empty 16 | mac1 16 | mac2 16         =  92
import type { Crypto } from './crypto.ts'
import { type IkAcceptance, type IkInitiation, ikAccept, ikInitiate, type IkOptions } from './ik.ts'

/** Bytes in a handshake initiation. */
export const INITIATION_LENGTH = 148
/** Bytes in a handshake response. */
export const RESPONSE_LENGTH = 92
/** Bytes in the timestamp of an initiation: TAI64N. */
export const TIMESTAMP_LENGTH = 12

const TYPE_INITIATION = 1
const TYPE_RESPONSE = 2
const SENDER = 4
const RESPONSE_RECEIVER = 8
const INITIATION_NOISE = 8
const INITIATION_MACS = 116
const RESPONSE_NOISE = 12
const RESPONSE_MACS = 60

const NOTHING = new Uint8Array(0)
const PROLOGUE = new TextEncoder().encode('WireGuard v1 zx2c4 Jason@zx2c4.com')

/** Own identity, as both roles need it. */
export interface WireGuardIdentity {
  /** The primitives. */
  readonly crypto: Crypto
  /** Own static private key. */
  readonly staticPrivate: Uint8Array
  /** Own static public key. */
  readonly staticPublic: Uint8Array
}

/** What to put into an initiation. */
export interface WireGuardInitiateOptions extends WireGuardIdentity {
  /** The peer's static public key. */
  readonly remoteStatic: Uint8Array
  /** The secret of the two static keys, when it was worked out before. */
  readonly staticShared?: Uint8Array
  /** 32 bytes both know beforehand; zeros when left out, as in every Tailscale tunnel. */
  readonly presharedKey?: Uint8Array
  /** A private key for this handshake alone. The owner wipes it when the handshake is over. */
  readonly ephemeralPrivate: Uint8Array
  /** TAI64N, 12 bytes, greater than in every initiation before. */
  readonly timestamp: Uint8Array
  /** The index the peer shall address us by: a random u32. */
  readonly senderIndex: number
}

/** What to put into a response. */
export interface WireGuardRespondOptions {
  /** A private key for this handshake alone. The owner wipes it afterwards. */
  readonly ephemeralPrivate: Uint8Array
  /** The index the peer shall address us by: a random u32. */
  readonly senderIndex: number
  /** 32 bytes both know beforehand; zeros when left out. */
  readonly presharedKey?: Uint8Array
}

/** The outcome of a handshake. */
export interface WireGuardKeys {
  /** 32 bytes: what transport data is sealed with. */
  readonly send: Uint8Array
  /** 32 bytes: what transport data is opened with. */
  readonly receive: Uint8Array
  /** The index the peer wants to be addressed by. */
  readonly remoteIndex: number
}

/** Our initiation, waiting for its response. */
export class WireGuardInitiation {
  /** The 148 bytes, MAC fields zero. */
  readonly message: Uint8Array
  readonly #noise: IkInitiation
  readonly #presharedKey: Uint8Array | undefined

  /** Made by {@link wireguardInitiate}. */
  constructor(message: Uint8Array, noise: IkInitiation, presharedKey: Uint8Array | undefined) {
    this.message = message
    this.#noise = noise
    this.#presharedKey = presharedKey
  }

  /**
   * Reads a 92-byte response. `undefined` when it is not the peer's answer to this initiation; then nothing has
   * changed, and the true one may still come. The receiver index is the caller's to look up.
   */
  readResponse(message: Uint8Array): WireGuardKeys | undefined {
    if (message.length !== RESPONSE_LENGTH || message[0] !== TYPE_RESPONSE) return undefined
    const read = this.#noise.readResponse(message.subarray(RESPONSE_NOISE, RESPONSE_MACS), this.#presharedKey)
    if (read === undefined) return undefined
    return { send: read.keys.send, receive: read.keys.receive, remoteIndex: u32(message, SENDER) }
  }
}

/** A peer's initiation, being answered. */
export class WireGuardAcceptance {
  /** The static key the initiator claims; proven only when {@link WireGuardAcceptance.openTimestamp} has succeeded. */
  readonly remoteStatic: Uint8Array
  /** The index the initiator wants to be addressed by. */
  readonly remoteIndex: number
  readonly #noise: IkAcceptance

  /** Made by {@link wireguardAccept}. */
  constructor(noise: IkAcceptance, remoteIndex: number) {
    this.#noise = noise
    this.remoteStatic = noise.remoteStatic
    this.remoteIndex = remoteIndex
  }

  /** Opens the 12-byte timestamp, which proves the claimed key; `undefined` when it is not proven. Call it once. */
  openTimestamp(staticShared?: Uint8Array): Uint8Array | undefined {
    const timestamp = this.#noise.openPayload(staticShared)
    return timestamp?.length === TIMESTAMP_LENGTH ? timestamp : undefined
  }

  /** Writes the 92-byte response, MAC fields zero. Call it once, after the timestamp was opened and found newer. */
  respond(options: WireGuardRespondOptions): { message: Uint8Array; keys: WireGuardKeys } | undefined {
    const noise = this.#noise.respond(options.ephemeralPrivate, NOTHING, options.presharedKey)
    if (noise === undefined) return undefined
    const message = new Uint8Array(RESPONSE_LENGTH)
    message[0] = TYPE_RESPONSE
    setU32(message, SENDER, options.senderIndex)
    setU32(message, RESPONSE_RECEIVER, this.remoteIndex)
    message.set(noise.message, RESPONSE_NOISE)
    const { send, receive } = noise.keys
    return { message, keys: { send, receive, remoteIndex: this.remoteIndex } }
  }
}

/** Writes an initiation. `undefined` when nothing can be agreed with the peer's key. */
export function wireguardInitiate(options: WireGuardInitiateOptions): WireGuardInitiation | undefined {
  const noise = ikInitiate({ ...options, pattern: 'IKpsk2', prologue: PROLOGUE }, options.timestamp)
  if (noise === undefined) return undefined
  const message = new Uint8Array(INITIATION_LENGTH)
  message[0] = TYPE_INITIATION
  setU32(message, SENDER, options.senderIndex)
  message.set(noise.message, INITIATION_NOISE)
  return new WireGuardInitiation(message, noise, options.presharedKey)
}

/** Reads a 148-byte initiation as far as the claimed key, or returns `undefined` when it was not made for us. */
export function wireguardAccept(
  identity: WireGuardIdentity,
  message: Uint8Array,
): WireGuardAcceptance | undefined {
  if (message.length !== INITIATION_LENGTH || message[0] !== TYPE_INITIATION) return undefined
  const options: IkOptions = { ...identity, pattern: 'IKpsk2', prologue: PROLOGUE }
  const noise = ikAccept(options, message.subarray(INITIATION_NOISE, INITIATION_MACS))
  return noise && new WireGuardAcceptance(noise, u32(message, SENDER))
}

function u32(bytes: Uint8Array, at: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = bytes.subarray(at, at + 4)
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
