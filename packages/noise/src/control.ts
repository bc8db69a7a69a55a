// The handshake of the control channel (control-protocol.md 2.3): Noise IK between a machine and its control server,
// bound by its prologue to the protocol version. The Noise messages alone; their 5- and 3-byte headers are wire's.
import { CipherState } from './cipher-state.ts'
import { type Crypto, type RandomSource, KEY_LENGTH } from './crypto.ts'
import { type IkKeys, ikAccept, ikInitiate, type IkOptions } from './ik.ts'
import { nobleCrypto } from './noble-crypto.ts'

/** Bytes in the first Noise message of the control channel, without its header. */
export const CONTROL_INITIATION_LENGTH = 96
/** Bytes in the second Noise message of the control channel, without its header. */
export const CONTROL_RESPONSE_LENGTH = 48

const NOTHING = new Uint8Array(0)
const encoder = new TextEncoder()

/** What both ends of the control channel need. */
export interface ControlOptions {
  /** The primitives; {@link nobleCrypto} when left out. */
  readonly crypto?: Crypto
  /** The version in the header of the initiation: both sides must mean the same. */
  readonly version: number
  /** Where the ephemeral key comes from. */
  readonly random: RandomSource
}

/** What the machine needs. */
export interface ControlInitiateOptions extends ControlOptions {
  /** The machine's private key. */
  readonly machinePrivate: Uint8Array
  /** The control server's public key, from `/key`. */
  readonly controlPublic: Uint8Array
}

/** What the control server needs. */
export interface ControlAcceptOptions extends ControlOptions {
  /** The control server's private key. */
  readonly controlPrivate: Uint8Array
}

/** The control channel after its handshake. */
export interface ControlSession {
  /** Seals the records this side sends. */
  readonly send: CipherState
  /** Opens the records this side receives. */
  readonly receive: CipherState
  /** The hash of the whole handshake, equal on both sides. */
  readonly handshakeHash: Uint8Array
}

/** A machine's half of the handshake: send `message`, then read the answer. */
export interface ControlInitiation {
  /** 96 bytes to send. */
  readonly message: Uint8Array
  /** Reads the 48-byte answer, or returns `undefined` when the server does not hold the key we know it by. */
  readResponse(message: Uint8Array): ControlSession | undefined
}

/** The control server's half of the handshake, finished as soon as begun. */
export interface ControlAcceptance {
  /** 48 bytes to send back. */
  readonly message: Uint8Array
  /** The machine's public key, proven. */
  readonly machineKey: Uint8Array
  /** The channel. */
  readonly session: ControlSession
}

/** Begins the handshake as a machine. `undefined` when nothing can be agreed with the server's key. */
export function controlInitiate(options: ControlInitiateOptions): ControlInitiation | undefined {
  const { crypto = nobleCrypto, controlPublic } = options
  const ephemeralPrivate = options.random(KEY_LENGTH)
  const noise = {
    ...ikOptions(options, crypto, options.machinePrivate),
    remoteStatic: controlPublic,
    ephemeralPrivate,
  }
  const initiation = ikInitiate(noise, NOTHING)
  if (initiation === undefined) return undefined
  return {
    message: initiation.message,
    readResponse(message) {
      if (message.length !== CONTROL_RESPONSE_LENGTH) return undefined
      const response = initiation.readResponse(message)
      if (response === undefined) return undefined
      ephemeralPrivate.fill(0)
      return controlSession(crypto, response.keys)
    },
  }
}

/** Answers a machine's 96-byte message, or returns `undefined` when it was not made for this server and version. */
export function controlAccept(
  options: ControlAcceptOptions,
  message: Uint8Array,
): ControlAcceptance | undefined {
  if (message.length !== CONTROL_INITIATION_LENGTH) return undefined
  const { crypto = nobleCrypto } = options
  const acceptance = ikAccept(ikOptions(options, crypto, options.controlPrivate), message)
  if (acceptance?.openPayload() === undefined) return undefined
  const ephemeralPrivate = options.random(KEY_LENGTH)
  const response = acceptance.respond(ephemeralPrivate, NOTHING)
  ephemeralPrivate.fill(0)
  if (response === undefined) return undefined
  const session = controlSession(crypto, response.keys)
  return { message: response.message, machineKey: acceptance.remoteStatic, session }
}

function ikOptions(options: ControlOptions, crypto: Crypto, staticPrivate: Uint8Array): IkOptions {
  const prologue = encoder.encode(`Tailscale Control Protocol v${options.version}`)
  return { pattern: 'IK', crypto, staticPrivate, prologue }
}

function controlSession(crypto: Crypto, keys: IkKeys): ControlSession {
  const send = new CipherState(crypto, keys.send)
  const receive = new CipherState(crypto, keys.receive)
  keys.send.fill(0)
  keys.receive.fill(0)
  return { send, receive, handshakeHash: keys.handshakeHash }
}
