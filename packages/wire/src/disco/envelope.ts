// The outside of a disco packet (data-plane section 4.1): magic, who sends, nonce, and a box that only the
// receiver opens. Sealing and opening the box is the business of @mesh/keys.

/** The six bytes that start every disco packet: "TS" and a speech balloon in UTF-8. */
export const DISCO_MAGIC: Uint8Array = Uint8Array.of(0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac)
/** Bytes of a disco public key. */
export const DISCO_KEY_LENGTH = 32
/** Bytes of the nonce of the box. */
export const DISCO_NONCE_LENGTH = 24
/** Bytes in front of the box. */
export const DISCO_HEADER_LENGTH = 62
/** Bytes of the tag that starts the box. */
const BOX_TAG_LENGTH = 16

const SENDER = 6
const NONCE = 38

/**
 * Tells whether a datagram is meant as disco: the magic and a sender's key. This is the test of a socket that
 * sorts what it receives; what passes need not be whole.
 */
export function isDisco(datagram: Uint8Array): boolean {
  return datagram.length >= NONCE && startsWithMagic(datagram)
}

/** Tells whether a packet has a whole disco header: the test of relays, which treat such packets apart. */
export function looksLikeDisco(packet: Uint8Array): boolean {
  return packet.length >= DISCO_HEADER_LENGTH && startsWithMagic(packet)
}

function startsWithMagic(bytes: Uint8Array): boolean {
  for (let i = 0; i < SENDER; i += 1) if (bytes[i] !== DISCO_MAGIC[i]) return false
  return true
}

/** A disco packet still sealed; the fields of a decoded one are views. */
export interface DiscoEnvelope {
  /** The sender's disco public key, 32 bytes. A claim until the box opens. */
  readonly senderDisco: Uint8Array
  /** The nonce of the box, 24 bytes. */
  readonly nonce: Uint8Array
  /** The sealed message, tag first: 16 bytes more than the message. */
  readonly box: Uint8Array
}

/** Splits a disco packet into its parts, or returns `undefined` when it is none. Fields view `datagram`. */
export function decodeDiscoEnvelope(datagram: Uint8Array): DiscoEnvelope | undefined {
  if (datagram.length < DISCO_HEADER_LENGTH + BOX_TAG_LENGTH || !startsWithMagic(datagram)) return undefined
  return {
    senderDisco: datagram.subarray(SENDER, NONCE),
    nonce: datagram.subarray(NONCE, DISCO_HEADER_LENGTH),
    box: datagram.subarray(DISCO_HEADER_LENGTH),
  }
}

/**
 * Returns the bytes of a disco packet.
 *
 * @throws RangeError when the key has not 32 or the nonce not 24 bytes.
 */
export function encodeDiscoEnvelope(envelope: DiscoEnvelope): Uint8Array {
  const { senderDisco, nonce, box } = envelope
  if (senderDisco.length !== DISCO_KEY_LENGTH) {
    throw new RangeError(`senderDisco has ${senderDisco.length} bytes, not ${DISCO_KEY_LENGTH}`)
  }
  if (nonce.length !== DISCO_NONCE_LENGTH) {
    throw new RangeError(`nonce has ${nonce.length} bytes, not ${DISCO_NONCE_LENGTH}`)
  }
  const datagram = new Uint8Array(DISCO_HEADER_LENGTH + box.length)
  datagram.set(DISCO_MAGIC)
  datagram.set(senderDisco, SENDER)
  datagram.set(nonce, NONCE)
  datagram.set(box, DISCO_HEADER_LENGTH)
  return datagram
}
