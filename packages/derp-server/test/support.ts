// A relay under test with clients made of nothing but frames, and a clock that the test turns.
import { openBox, precomputeBox, publicKeyOf, sealBox } from '@mesh/keys'
import { seededRandom } from '@mesh/sansio'
import {
  type ClientInfo,
  clientFrameLimit,
  decodeSealedServerInfo,
  decodeServerInfo,
  encodeClientInfo,
  encodeSealedClientInfo,
  encodeSendPacket,
  FRAME_SERVER_INFO,
  type Frame,
  FrameReader,
} from '@mesh/wire/derp'
import {
  type CloseReason,
  type ConnectionId,
  type Origin,
  Relay,
  type RelayOptions,
  type RelayOutput,
} from '../src/index.ts'

/** The private key of the relay in appendix A.3 of data-plane.md. */
export const RELAY_PRIVATE_KEY = new Uint8Array(32).fill(0x77)

const DEFAULT_INFO: ClientInfo = { version: 2, canAckPings: true, isProber: false }

/** Returns the ClientInfo frame of the holder of `privateKey`. */
export function loginFrame(privateKey: Uint8Array, serverKey: Uint8Array, info = DEFAULT_INFO): Uint8Array {
  const box = precomputeBox(privateKey, serverKey)
  if (box === undefined) throw new Error('a key of low order')
  const nonce = Uint8Array.from({ length: 24 }, (_, i) => i)
  const sealed = sealBox(box, nonce, encodeClientInfo(info))
  return encodeSealedClientInfo({ clientKey: publicKeyOf(privateKey), nonce, box: sealed })
}

/** Returns a packet of `length` bytes that looks like disco from outside. */
export function discoPacket(length = 62, fill = 0): Uint8Array {
  const packet = new Uint8Array(length).fill(fill)
  packet.set([0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac])
  return packet
}

/** Returns a packet that looks like data, recognisable by `mark`. */
export function dataPacket(mark: number, length = 100): Uint8Array {
  return new Uint8Array(length).fill(mark)
}

/** One connection to a {@link RelayBench}, with the frames it was sent. */
export class BenchClient {
  readonly key: Uint8Array
  readonly frames: Frame[] = []
  readonly id: ConnectionId
  readonly #bench: RelayBench
  readonly #privateKey: Uint8Array
  readonly #reader = new FrameReader(clientFrameLimit)
  /** Why the relay closed the connection. */
  closed: CloseReason | undefined
  /** Whether the relay reads no more from it for now. */
  paused = false
  /** Whether the stream takes what it is given; a stalled one takes nothing. */
  stalled = false
  unwritten = 0

  constructor(bench: RelayBench, id: ConnectionId, seed: number) {
    this.#bench = bench
    this.id = id
    this.#privateKey = new Uint8Array(32).fill(seed)
    this.key = publicKeyOf(this.#privateKey)
  }

  /** Sends bytes. */
  say(...parts: Uint8Array[]): void {
    for (const bytes of parts) {
      this.#bench.relay.handleBytes(this.id, bytes, this.#bench.now)
      this.#bench.drain()
    }
  }

  login(info?: ClientInfo): this {
    this.say(loginFrame(this.#privateKey, this.#bench.relay.publicKey, info))
    return this
  }

  send(to: BenchClient, packet: Uint8Array): void {
    this.say(encodeSendPacket({ destination: to.key, packet }))
  }

  /** Takes everything that lies in the stream. */
  take(): void {
    this.stalled = false
    const length = this.unwritten
    this.unwritten = 0
    this.#bench.relay.handleWritten(this.id, length, this.#bench.now)
    this.#bench.drain()
  }

  /** Ends the stream from the client's side. */
  leave(): void {
    this.#bench.relay.handleClosed(this.id, this.#bench.now)
    this.#bench.drain()
  }

  receive(bytes: Uint8Array): void {
    this.#reader.feed(bytes)
    for (let frame = this.#reader.read(); frame !== undefined; frame = this.#reader.read()) {
      this.frames.push({ type: frame.type, payload: new Uint8Array(frame.payload) })
    }
  }

  /** Returns the payloads of the frames of one type, in order. */
  got(type: number): Uint8Array[] {
    return this.frames.filter((frame) => frame.type === type).map((frame) => frame.payload)
  }

  /** Returns what the relay said of itself after the login. */
  serverInfo(): unknown {
    const payload = this.got(FRAME_SERVER_INFO)[0]
    const sealed = payload && decodeSealedServerInfo(payload)
    const box = precomputeBox(this.#privateKey, this.#bench.relay.publicKey)
    const json = sealed && box && openBox(box, sealed.nonce, sealed.box)
    return json && decodeServerInfo(json)
  }
}

/** A relay, its connections and the time. */
export class RelayBench {
  readonly relay: Relay
  readonly admissions: { id: ConnectionId; nodeKey: Uint8Array; source: string }[] = []
  /** The packets handed to siblings. */
  readonly forwarded: Extract<RelayOutput, { kind: 'forward' }>[] = []
  /** What was said to the other parts of the relay. */
  readonly announced: Extract<RelayOutput, { kind: 'presence' | 'close-peer' }>[] = []
  readonly #clients = new Map<ConnectionId, BenchClient>()
  #now = 0

  constructor(options: Partial<RelayOptions> = {}) {
    this.relay = new Relay({ privateKey: RELAY_PRIVATE_KEY, random: seededRandom(1), ...options })
  }

  get now(): number {
    return this.#now
  }

  /** Opens a connection for the client whose private key is `seed` 32 times. */
  connect(seed: number, source: string | Origin = ''): BenchClient {
    const client = new BenchClient(this, this.relay.handleConnect(this.#now, source), seed)
    this.#clients.set(client.id, client)
    this.drain()
    return client
  }

  /** Lets time pass, waking the relay whenever it asked to be woken. */
  advance(duration: number): void {
    const end = this.#now + duration
    while (this.relay.pollTimeout() <= end) {
      this.#now = Math.max(this.#now, this.relay.pollTimeout())
      this.relay.handleTimeout(this.#now)
      this.drain()
    }
    this.#now = end
  }

  admit(id: ConnectionId, admitted: boolean): void {
    this.relay.handleAdmission(id, admitted, this.#now)
    this.drain()
  }

  drain(): void {
    for (let output = this.relay.poll(); output !== undefined; output = this.relay.poll()) {
      if (output.kind === 'forward') {
        this.forwarded.push({ ...output })
        continue
      }
      if (output.kind === 'presence' || output.kind === 'close-peer') {
        this.announced.push(output)
        continue
      }
      const client = this.#clients.get(output.connection)
      if (output.kind === 'admit') this.admissions.push({ id: output.connection, ...output })
      else if (output.kind === 'close' && client !== undefined) client.closed = output.reason
      else if ((output.kind === 'pause' || output.kind === 'resume') && client !== undefined)
        client.paused = output.kind === 'pause'
      else if (output.kind === 'write' && client !== undefined) this.#deliver(client, output.bytes)
    }
  }

  #deliver(client: BenchClient, bytes: Uint8Array): void {
    client.receive(bytes)
    if (client.stalled) client.unwritten += bytes.length
    else this.relay.handleWritten(client.id, bytes.length, this.#now)
  }
}
