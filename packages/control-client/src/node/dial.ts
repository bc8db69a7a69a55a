// From an address and a key to a sealed connection: an HTTP/1.1 upgrade that carries the first Noise message, then
// the server's answer (control protocol §2.1 to §2.3). The upgrade is to Noise itself; where something on the way does
// not let that through, to a WebSocket with Noise inside.
import type { Duplex } from 'node:stream'
import { type Crypto, controlInitiate, type RandomSource, RecordTransport } from '@mesh/noise'
import { decodeNoiseFrame, encodeInitiation, NOISE_FRAME, type NoiseFrame } from '@mesh/wire/control'
import { ControlError } from '../errors.ts'
import { NoiseDuplex } from './noise-duplex.ts'
import type { ServerUrl } from './server-url.ts'
import { isUpgradeRefused, openUpgrade, openWebSocket, type Upgraded } from './upgrade.ts'

/** What a dial needs. */
export interface DialOptions {
  /** The server. */
  readonly server: ServerUrl
  /** The server's public key. */
  readonly serverKey: Uint8Array
  /** The machine's private key. */
  readonly machineKey: Uint8Array
  /** The capability version to claim. */
  readonly version: number
  /** The primitives. */
  readonly crypto: Crypto
  /** Where the ephemeral key comes from. */
  readonly random: RandomSource
  /** Certificates to trust besides the system's, PEM. */
  readonly ca?: string | undefined
  /** The address to dial in place of what the server's name resolves to. */
  readonly address?: string | undefined
  /** Ends the attempt; afterwards it does nothing. */
  readonly signal: AbortSignal
}

/** Returns a sealed connection to the server; rejects with what the socket said, or a ControlError. */
export async function dialControl(options: DialOptions): Promise<NoiseDuplex> {
  try {
    return await dialBy(openUpgrade, options)
  } catch (error) {
    if (!isUpgradeRefused(error) || options.signal.aborted) throw error
    return await dialBy(openWebSocket, options)
  }
}

async function dialBy(
  open: (options: DialOptions, initiation: Uint8Array) => Promise<Upgraded>,
  options: DialOptions,
): Promise<NoiseDuplex> {
  const { server, version, crypto, random, machineKey, serverKey } = options
  const handshake = controlInitiate({
    crypto,
    version,
    random,
    machinePrivate: machineKey,
    controlPublic: serverKey,
  })
  if (handshake === undefined) throw handshakeFailed(server, 'its key is not a usable one')
  const { stream, head } = await open(options, encodeInitiation(version, handshake.message))
  try {
    const { frame, rest } = await readFrame(stream, head, options)
    if (frame.type === NOISE_FRAME.error) throw handshakeFailed(server, 'it refused the handshake')
    const session = frame.type === NOISE_FRAME.response ? handshake.readResponse(frame.body) : undefined
    if (session === undefined) throw handshakeFailed(server, 'it could not prove its key')
    return new NoiseDuplex(stream, new RecordTransport(session.send, session.receive), rest)
  } catch (error) {
    stream.destroy()
    throw error
  }
}

function handshakeFailed(server: ServerUrl, why: string): ControlError {
  return new ControlError(
    'ERR_CONTROL_HANDSHAKE',
    `no handshake with the control server at ${server.text}: ${why}`,
  )
}

/** Reads the first frame after the upgrade; `rest` is what came after it. */
function readFrame(
  socket: Duplex,
  head: Uint8Array,
  options: DialOptions,
): Promise<{ frame: NoiseFrame; rest: Uint8Array }> {
  const { signal, server } = options
  return new Promise((resolve, reject) => {
    let held: Uint8Array = head
    const stop = (): void => {
      socket.pause()
      socket.off('data', onData)
      socket.off('error', onError)
      socket.off('close', onClose)
      signal.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error): void => {
      stop()
      socket.on('error', () => undefined)
      reject(error)
    }
    const onError = (error: Error): void => fail(error)
    const onClose = (): void => fail(handshakeFailed(server, 'it hung up'))
    const onAbort = (): void => fail(handshakeFailed(server, 'it took too long'))
    const look = (): void => {
      const frame = decodeNoiseFrame(held)
      if (frame === 'short') return
      if (frame === undefined) return fail(handshakeFailed(server, 'its answer cannot be read'))
      stop()
      resolve({ frame, rest: held.subarray(frame.length) })
    }
    const onData = (chunk: Uint8Array): void => {
      held = Buffer.concat([held, chunk])
      look()
    }
    socket.on('data', onData)
    socket.on('error', onError)
    socket.on('close', onClose)
    signal.addEventListener('abort', onAbort)
    look()
  })
}
