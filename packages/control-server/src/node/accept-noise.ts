// From a request for `/ts2021` to a sealed stream: the upgrade, to Noise itself or to a WebSocket with Noise inside, the
// handshake, the early payload (control §2.1–2.4).

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { formatChallengeKey, formatMachineKey } from '@mesh/keys'
import { controlAccept, RecordTransport } from '@mesh/noise'
import type { Crypto } from '@mesh/noise'
import type { RandomSource } from '@mesh/sansio'
import type { Initiation } from '@mesh/wire/control'
import {
  decodeInitiation,
  encodeEarlyPayload,
  encodeNoiseFrame,
  HANDSHAKE_HEADER,
  NOISE_FRAME,
  UPGRADE_PROTOCOL,
} from '@mesh/wire/control'
import { MachineLink } from './machine-link.ts'

/** A connection whose machine is proven. */
export interface NoiseConnection {
  /** Who is at the other end, as `mkey:` text. */
  readonly machineKey: string
  /** The address it came from, as the socket tells it. */
  readonly address: string
  /** What it speaks HTTP/2 on. */
  readonly link: MachineLink
}

/** The server's side of handshakes. */
export interface NoiseResponder {
  /** The server's private key, 32 bytes. */
  readonly privateKey: Uint8Array
  readonly crypto: Crypto
  readonly random: RandomSource
}

/** TCP asks a silent peer after this long whether it is still there, milliseconds. */
const TCP_KEEP_ALIVE = 60_000
/** How long a client may take to hang up after it was refused, milliseconds, and how many bytes it may send meanwhile. */
const HANG_UP_TIMEOUT = 1000
const HANG_UP_BYTES = 1 << 20

/**
 * Answers an upgrade request. Returns the connection, or `undefined` when it was refused; then the socket is ended.
 *
 * @param head - Bytes that came after the request.
 * @param address - Where the client came from.
 */
export function acceptNoise(
  request: IncomingMessage,
  socket: Socket,
  head: Uint8Array,
  responder: NoiseResponder,
  address: string,
): NoiseConnection | undefined {
  const initiation = readInitiation(request)
  if (typeof initiation === 'string') return refuse(socket, initiation)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, TCP_KEEP_ALIVE)
  const acceptance = respond(responder, initiation)
  if (!acceptance) return refuseHandshake(socket)
  const transport = new RecordTransport(acceptance.session.send, acceptance.session.receive)
  socket.cork()
  socket.write(SWITCHING)
  socket.write(encodeNoiseFrame(NOISE_FRAME.response, acceptance.message))
  const early = transport.seal(encodeEarlyPayload({ nodeKeyChallenge: freshChallenge(responder) }))
  if (early) socket.write(early)
  socket.uncork()
  return {
    machineKey: formatMachineKey(acceptance.machineKey),
    address,
    link: new MachineLink({ socket, transport, head }),
  }
}

/**
 * Does the handshake over a WebSocket that is open; its request carried the initiation. No early payload is sent there
 * (control §2.2). Returns the connection, or `undefined` when it was refused; then the stream is ended.
 *
 * @param stream - The bytes of the WebSocket's messages.
 * @param address - Where the client came from.
 */
export function acceptNoiseInside(
  stream: Duplex,
  initiation: Initiation,
  address: string,
  responder: NoiseResponder,
): NoiseConnection | undefined {
  const acceptance = respond(responder, initiation)
  if (!acceptance) {
    stream.on('error', () => stream.destroy())
    stream.end(REFUSED_HANDSHAKE)
    return undefined
  }
  stream.write(encodeNoiseFrame(NOISE_FRAME.response, acceptance.message))
  const transport = new RecordTransport(acceptance.session.send, acceptance.session.receive)
  return {
    machineKey: formatMachineKey(acceptance.machineKey),
    address,
    link: new MachineLink({ socket: stream, transport, head: new Uint8Array(0) }),
  }
}

function respond(
  { privateKey, crypto, random }: NoiseResponder,
  { version, message }: Initiation,
): ReturnType<typeof controlAccept> {
  return controlAccept({ controlPrivate: privateKey, crypto, version, random }, message)
}

const SWITCHING = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${UPGRADE_PROTOCOL}\r\nConnection: upgrade\r\n\r\n`

/** Ends an upgrade request with a status and a sentence. */
export function refuse(socket: Socket, text: string, status = '400 Bad Request'): undefined {
  const head = `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length + 1}\r\nConnection: close`
  hangUp(socket, `${head}\r\n\r\n${text}\n`)
}

/**
 * Says a last word. Nothing else watches an upgraded socket, so one whose client does not hang up too is destroyed soon;
 * not at once, for what came unread would then wipe out the last word on its way.
 */
function hangUp(socket: Socket, lastWord: string | Uint8Array): void {
  const timer = setTimeout(() => socket.destroy(), HANG_UP_TIMEOUT)
  socket.on('end', () => socket.destroy())
  socket.on('close', () => clearTimeout(timer))
  let room = HANG_UP_BYTES
  socket.on('data', (chunk) => {
    room -= chunk.length
    if (room < 0) socket.destroy()
  })
  socket.end(lastWord)
}

function readInitiation(request: IncomingMessage): Initiation | string {
  if (request.headers.upgrade !== UPGRADE_PROTOCOL)
    return `unknown Upgrade: this address speaks ${UPGRADE_PROTOCOL}`
  const header = request.headers[HANDSHAKE_HEADER.toLowerCase()]
  if (typeof header !== 'string') return `the header ${HANDSHAKE_HEADER} is missing`
  return parseInitiation(header) ?? `the header ${HANDSHAKE_HEADER} holds no initiation`
}

/** Returns the initiation that a WebSocket's request carries in its query, where browsers can put it. */
export function queryInitiation(query: URLSearchParams): Initiation | undefined {
  // A `+` that was not escaped reads as a space.
  return parseInitiation((query.get(HANDSHAKE_HEADER) ?? '').replaceAll(' ', '+'))
}

function parseInitiation(base64: string): Initiation | undefined {
  return decodeInitiation(new Uint8Array(Buffer.from(base64, 'base64')))
}

/** Most likely the client knows another key of this server. The text is for its log. */
const REFUSED_HANDSHAKE = encodeNoiseFrame(
  NOISE_FRAME.error,
  new TextEncoder().encode('decrypting machine key: this server has another key than the one you know'),
)

function refuseHandshake(socket: Socket): undefined {
  socket.write(SWITCHING)
  hangUp(socket, REFUSED_HANDSHAKE)
}

/** Nobody asks for the proof yet, so the private half is not kept. */
function freshChallenge({ crypto, random }: NoiseResponder): `chalpub:${string}` {
  return formatChallengeKey(crypto.x25519Public(random(32)))
}
