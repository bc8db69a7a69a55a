// Writing what goes into the box.
import { writeU32 } from '../big-endian.ts'
import { ENDPOINT_LENGTH, writeEndpoints } from './endpoints.ts'
import { DISCO_TYPES, type DiscoMessage, type Ping, type RelayHandshake, TX_ID_LENGTH } from './messages.ts'
import { putKey } from './put-key.ts'
import { relayEndpointLength, writeRelayEndpoint } from './relay-endpoint.ts'

const HEADER_LENGTH = 2
const KEY_LENGTH = 32
const HANDSHAKE_LENGTH = 72

/**
 * Returns the plaintext of a disco packet, to be sealed for the receiver.
 *
 * @throws RangeError when a key, a transaction id or an address has a wrong length, or an allocation no endpoint.
 */
export function encodeDisco(message: DiscoMessage): Uint8Array {
  switch (message.kind) {
    case 'ping':
      return encodePing(message)
    case 'pong': {
      const plaintext = start(message.kind, TX_ID_LENGTH + ENDPOINT_LENGTH)
      putTxId(plaintext, message.txId)
      writeEndpoints(plaintext, HEADER_LENGTH + TX_ID_LENGTH, [message.source])
      return plaintext
    }
    case 'call-me-maybe': {
      const plaintext = start(message.kind, message.endpoints.length * ENDPOINT_LENGTH)
      writeEndpoints(plaintext, HEADER_LENGTH, message.endpoints)
      return plaintext
    }
    case 'relay-bind':
    case 'relay-challenge':
    case 'relay-answer':
      return encodeHandshake(message.kind, message)
    case 'call-me-maybe-via': {
      const plaintext = start(message.kind, relayEndpointLength(message))
      writeRelayEndpoint(plaintext, HEADER_LENGTH, message)
      return plaintext
    }
    case 'doors-offer': {
      const plaintext = start(message.kind, ENDPOINT_LENGTH)
      writeEndpoints(plaintext, HEADER_LENGTH, [{ address: message.address, port: message.doors }])
      return plaintext
    }
    case 'doors-accept': {
      const plaintext = start(message.kind, ENDPOINT_LENGTH)
      writeEndpoints(plaintext, HEADER_LENGTH, [message.endpoint])
      return plaintext
    }
    case 'allocate-request': {
      const plaintext = start(message.kind, 2 * KEY_LENGTH + 4)
      putKey(plaintext, HEADER_LENGTH, message.clientDisco[0], 'clientDisco')
      putKey(plaintext, HEADER_LENGTH + KEY_LENGTH, message.clientDisco[1], 'clientDisco')
      writeU32(plaintext, HEADER_LENGTH + 2 * KEY_LENGTH, message.generation)
      return plaintext
    }
    case 'allocate-response': {
      const plaintext = start(message.kind, 4 + relayEndpointLength(message))
      writeU32(plaintext, HEADER_LENGTH, message.generation)
      writeRelayEndpoint(plaintext, HEADER_LENGTH + 4, message)
      return plaintext
    }
  }
}

function start(kind: DiscoMessage['kind'], bodyLength: number): Uint8Array {
  const plaintext = new Uint8Array(HEADER_LENGTH + bodyLength)
  plaintext[0] = DISCO_TYPES[kind]
  return plaintext
}

function encodePing(ping: Ping): Uint8Array {
  const plaintext = start('ping', TX_ID_LENGTH + (ping.nodeKey ? KEY_LENGTH : 0) + (ping.padding ?? 0))
  putTxId(plaintext, ping.txId)
  if (ping.nodeKey) putKey(plaintext, HEADER_LENGTH + TX_ID_LENGTH, ping.nodeKey, 'nodeKey')
  return plaintext
}

function putTxId(plaintext: Uint8Array, txId: Uint8Array): void {
  if (txId.length !== TX_ID_LENGTH) throw new RangeError(`txId has ${txId.length} bytes, not ${TX_ID_LENGTH}`)
  plaintext.set(txId, HEADER_LENGTH)
}

function encodeHandshake(kind: DiscoMessage['kind'], handshake: RelayHandshake): Uint8Array {
  const plaintext = start(kind, HANDSHAKE_LENGTH)
  writeU32(plaintext, HEADER_LENGTH, handshake.vni)
  writeU32(plaintext, HEADER_LENGTH + 4, handshake.generation)
  putKey(plaintext, HEADER_LENGTH + 8, handshake.remoteDisco, 'remoteDisco')
  putKey(plaintext, HEADER_LENGTH + 40, handshake.challenge, 'challenge')
  return plaintext
}
