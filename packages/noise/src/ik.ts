// The Noise handshakes IK and IKpsk2 (Noise revision 34): the initiator knows the responder's static key and shows
// its own, hidden, in the first message; one round trip and both hold two keys. Control uses IK, WireGuard IKpsk2;
// the layouts around the Noise messages are in control.ts and wireguard.ts.
//
//   -> e, es, s, ss, payload          32 + (32+16) + (n+16) bytes
//   <- e, ee, se, [psk], payload      32 + (n+16) bytes
import { type Crypto, KEY_LENGTH, TAG_LENGTH } from './crypto.ts'
import { SymmetricState } from './symmetric-state.ts'

/** Which of the two handshakes: with or without a pre-shared key mixed into the second message. */
export type IkPattern = 'IK' | 'IKpsk2'

const SEALED_STATIC = KEY_LENGTH
const SEALED_PAYLOAD = SEALED_STATIC + KEY_LENGTH + TAG_LENGTH
const NO_PRESHARED_KEY = new Uint8Array(KEY_LENGTH)

/** What either side must have to take part. */
export interface IkOptions {
  /** The handshake both sides agreed on beforehand. */
  readonly pattern: IkPattern
  /** The primitives. */
  readonly crypto: Crypto
  /** Own static private key. */
  readonly staticPrivate: Uint8Array
  /** Own static public key; worked out when left out. */
  readonly staticPublic?: Uint8Array
  /** Bytes both sides must agree on, without their being sent. */
  readonly prologue: Uint8Array
}

/** What the initiator must have besides. */
export interface IkInitiateOptions extends IkOptions {
  /** The responder's static public key. */
  readonly remoteStatic: Uint8Array
  /** The secret of the two static keys, when it was worked out before (it is the same for each handshake of a pair). */
  readonly staticShared?: Uint8Array
  /** A private key made for this handshake alone. The owner wipes it when the handshake is over. */
  readonly ephemeralPrivate: Uint8Array
}

/** The two keys a finished handshake yields, as this side uses them. */
export interface IkKeys {
  /** 32 bytes: what this side seals with. */
  readonly send: Uint8Array
  /** 32 bytes: what this side opens with. */
  readonly receive: Uint8Array
  /** The hash of all that was said: equal on both sides, different in every handshake. */
  readonly handshakeHash: Uint8Array
}

/** An initiator's half of a handshake, waiting for the response. */
export class IkInitiation {
  /** The first Noise message, to be sent. */
  readonly message: Uint8Array
  readonly #options: IkInitiateOptions
  readonly #state: SymmetricState

  /** Made by {@link ikInitiate}. */
  constructor(options: IkInitiateOptions, message: Uint8Array, state: SymmetricState) {
    this.message = message
    this.#options = options
    this.#state = state
  }

  /**
   * Reads the second Noise message. `undefined` when it does not come from the responder, or not in answer to this
   * message; then nothing has changed, and the true response may still come (data-plane.md appendix B 16).
   *
   * @param presharedKey - For IKpsk2; 32 zero bytes when left out.
   */
  readResponse(
    message: Uint8Array,
    presharedKey: Uint8Array = NO_PRESHARED_KEY,
  ): { payload: Uint8Array; keys: IkKeys } | undefined {
    if (message.length < KEY_LENGTH + TAG_LENGTH) return undefined
    const { crypto, pattern, staticPrivate, ephemeralPrivate } = this.#options
    const remote = message.subarray(0, KEY_LENGTH)
    const state = this.#state.clone()
    mixEphemeral(state, pattern, remote)
    const ee = crypto.x25519(ephemeralPrivate, remote)
    const se = ee && crypto.x25519(staticPrivate, remote)
    if (ee === undefined || se === undefined) return undefined
    state.mixSecret(ee)
    state.mixSecret(se)
    if (pattern === 'IKpsk2') state.mixKeyAndHash(presharedKey)
    const payload = state.openAndHash(message.subarray(KEY_LENGTH))
    if (payload === undefined) return undefined
    const [send, receive] = state.split()
    return { payload, keys: { send, receive, handshakeHash: state.hash } }
  }
}

/** A responder's half of a handshake: somebody claims a static key, and may prove it. */
export class IkAcceptance {
  /** The static public key the initiator shows. A claim only, until {@link IkAcceptance.openPayload} has succeeded. */
  readonly remoteStatic: Uint8Array
  readonly #options: IkOptions
  readonly #remoteEphemeral: Uint8Array
  readonly #sealedPayload: Uint8Array
  readonly #state: SymmetricState

  /** Made by {@link ikAccept}. */
  constructor(options: IkOptions, message: Uint8Array, remoteStatic: Uint8Array, state: SymmetricState) {
    this.#options = options
    this.#remoteEphemeral = message.slice(0, KEY_LENGTH)
    this.#sealedPayload = message.slice(SEALED_PAYLOAD)
    this.remoteStatic = remoteStatic
    this.#state = state
  }

  /**
   * Opens the payload of the first message, which proves that the initiator holds the static key it showed.
   * `undefined` when it does not. Call it once.
   *
   * @param staticShared - The secret of the two static keys, when it was worked out before.
   */
  openPayload(staticShared?: Uint8Array): Uint8Array | undefined {
    const { crypto, staticPrivate } = this.#options
    const ss = staticShared ?? crypto.x25519(staticPrivate, this.remoteStatic)
    if (ss === undefined) return undefined
    this.#state.mixKey(ss)
    return this.#state.openAndHash(this.#sealedPayload)
  }

  /**
   * Writes the second Noise message and ends the handshake. Call it once, after `openPayload`. `undefined` when the
   * initiator sent a key that nothing can be agreed with.
   *
   * @param presharedKey - For IKpsk2; 32 zero bytes when left out.
   */
  respond(
    ephemeralPrivate: Uint8Array,
    payload: Uint8Array,
    presharedKey: Uint8Array = NO_PRESHARED_KEY,
  ): { message: Uint8Array; keys: IkKeys } | undefined {
    const { crypto, pattern } = this.#options
    const ephemeral = crypto.x25519Public(ephemeralPrivate)
    const ee = crypto.x25519(ephemeralPrivate, this.#remoteEphemeral)
    const se = ee && crypto.x25519(ephemeralPrivate, this.remoteStatic)
    if (ee === undefined || se === undefined) return undefined
    mixEphemeral(this.#state, pattern, ephemeral)
    this.#state.mixSecret(ee)
    this.#state.mixSecret(se)
    if (pattern === 'IKpsk2') this.#state.mixKeyAndHash(presharedKey)
    const message = join(ephemeral, this.#state.sealAndHash(payload))
    const [receive, send] = this.#state.split()
    return { message, keys: { send, receive, handshakeHash: this.#state.hash } }
  }
}

/**
 * Begins a handshake. `undefined` when nothing can be agreed with the responder's key (it is of low order).
 *
 * @param payload - Bytes to carry, hidden; the responder learns them before it answers.
 */
export function ikInitiate(options: IkInitiateOptions, payload: Uint8Array): IkInitiation | undefined {
  const { crypto, pattern, staticPrivate, remoteStatic, ephemeralPrivate } = options
  const es = crypto.x25519(ephemeralPrivate, remoteStatic)
  const ss = options.staticShared ?? crypto.x25519(staticPrivate, remoteStatic)
  if (es === undefined || ss === undefined) return undefined
  const ephemeral = crypto.x25519Public(ephemeralPrivate)
  const state = begin(options, remoteStatic)
  mixEphemeral(state, pattern, ephemeral)
  state.mixSecret(es)
  const sealedStatic = state.sealAndHash(options.staticPublic ?? crypto.x25519Public(staticPrivate))
  state.mixKey(ss)
  const message = join(ephemeral, sealedStatic, state.sealAndHash(payload))
  return new IkInitiation(options, message, state)
}

/** Reads a first Noise message as far as the initiator's static key, or returns `undefined` when it is not for us. */
export function ikAccept(options: IkOptions, message: Uint8Array): IkAcceptance | undefined {
  if (message.length < SEALED_PAYLOAD + TAG_LENGTH) return undefined
  const { crypto, pattern, staticPrivate } = options
  const ephemeral = message.subarray(0, KEY_LENGTH)
  const es = crypto.x25519(staticPrivate, ephemeral)
  if (es === undefined) return undefined
  const state = begin(options, options.staticPublic ?? crypto.x25519Public(staticPrivate))
  mixEphemeral(state, pattern, ephemeral)
  state.mixSecret(es)
  const remoteStatic = state.openAndHash(message.subarray(SEALED_STATIC, SEALED_PAYLOAD))
  if (remoteStatic === undefined) return undefined
  return new IkAcceptance(options, message, remoteStatic, state)
}

function begin(options: IkOptions, responderStatic: Uint8Array): SymmetricState {
  const protocol = `Noise_${options.pattern}_25519_ChaChaPoly_BLAKE2s`
  const state = SymmetricState.begin(options.crypto, protocol, options.prologue)
  state.mixHash(responderStatic)
  return state
}

/** An ephemeral key goes into the hash, and with a pre-shared key in play into the chain too (Noise section 9.2). */
function mixEphemeral(state: SymmetricState, pattern: IkPattern, ephemeral: Uint8Array): void {
  state.mixHash(ephemeral)
  if (pattern === 'IKpsk2') state.mixKey(ephemeral)
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
