// A client under test against a relay made of frames, and a clock that the test turns.
import { openBox, precomputeBox, publicKeyOf, sealBox } from '@mesh/keys'
import { drain, seededRandom } from '@mesh/sansio'
import {
  decodeClientInfo,
  decodeSealedClientInfo,
  encodeSealedServerInfo,
  encodeServerInfo,
  encodeServerKey,
  FRAME_CLIENT_INFO,
  type Frame,
  FrameReader,
  type ServerInfo,
} from '@mesh/wire/derp'
import { DerpClient, type DerpClientOptions, type DerpEvent, type DerpOutput } from '../src/index.ts'

/** The keys of appendix A.3 of data-plane.md. */
export const CLIENT_PRIVATE_KEY = new Uint8Array(32).fill(0x11)
export const SERVER_PRIVATE_KEY = new Uint8Array(32).fill(0x77)
export const SERVER_KEY = publicKeyOf(SERVER_PRIVATE_KEY)

/** Returns the first frame of a server. */
export function greeting(): Uint8Array {
  return encodeServerKey(SERVER_KEY)
}

/** Returns the server's yes to the client of these tests. */
export function acceptance(info: ServerInfo = { version: 2 }): Uint8Array {
  const box = precomputeBox(SERVER_PRIVATE_KEY, publicKeyOf(CLIENT_PRIVATE_KEY))
  if (box === undefined) throw new Error('a key of low order')
  const nonce = new Uint8Array(24)
  return encodeSealedServerInfo({ nonce, box: sealBox(box, nonce, encodeServerInfo(info)) })
}

/** Reads a ClientInfo frame as the server would. */
export function openClientInfo(frame: Frame): unknown {
  const sealed = frame.type === FRAME_CLIENT_INFO ? decodeSealedClientInfo(frame.payload) : undefined
  const box = sealed && precomputeBox(SERVER_PRIVATE_KEY, sealed.clientKey)
  const json = sealed && box && openBox(box, sealed.nonce, sealed.box)
  return json && decodeClientInfo(json)
}

/** A client, what it did, and the time. */
export class ClientBench {
  readonly client: DerpClient
  readonly outputs: DerpOutput[] = []
  now = 0

  constructor(options: Partial<DerpClientOptions> = {}) {
    this.client = new DerpClient(
      { privateKey: CLIENT_PRIVATE_KEY, random: seededRandom(1), ...options },
      this.now,
    )
    this.drain()
  }

  /** Passes bytes from the server. */
  hear(...parts: Uint8Array[]): void {
    for (const bytes of parts) {
      this.client.handleBytes(bytes, this.now)
      this.drain()
    }
  }

  /** Opens the stream that was asked for and lets the login succeed. */
  connect(info?: ServerInfo): this {
    this.client.handleOpened(this.now)
    this.hear(greeting(), acceptance(info))
    return this
  }

  /** Lets the stream end. */
  cut(cause?: unknown): void {
    this.client.handleClosed(this.now, cause)
    this.drain()
  }

  send(to: number, packet: Uint8Array): void {
    this.client.send(new Uint8Array(32).fill(to), packet, this.now)
    this.drain()
  }

  /** Lets time pass, waking the client whenever it asked to be woken. */
  advance(duration: number): void {
    const end = this.now + duration
    while (this.client.pollTimeout() <= end) {
      this.now = Math.max(this.now, this.client.pollTimeout())
      this.client.handleTimeout(this.now)
      this.drain()
    }
    this.now = end
  }

  drain(): void {
    this.outputs.push(...drain(this.client))
  }

  /** Returns how many outputs of one kind there were so far. */
  count(kind: DerpOutput['kind']): number {
    return this.outputs.filter((output) => output.kind === kind).length
  }

  /** Returns the frames written so far. */
  get written(): Frame[] {
    const reader = new FrameReader(() => 1_048_576)
    const frames: Frame[] = []
    for (const output of this.outputs) {
      if (output.kind !== 'write') continue
      reader.feed(output.bytes)
      for (let frame = reader.read(); frame !== undefined; frame = reader.read()) frames.push(frame)
    }
    return frames
  }

  /** Returns the events of one sort so far. */
  events<E extends DerpEvent['event']>(event: E): Extract<DerpEvent, { event: E }>[] {
    return this.outputs.filter(
      (output): output is Extract<DerpEvent, { event: E }> =>
        output.kind === 'event' && output.event === event,
    )
  }
}
