// A client that is as little work as a client can be, so that the relay is what gets measured: it logs in as any client
// does, and from then on sends frames made beforehand and walks over what comes by its headers. It knows nothing of whose
// relay it is.
import { once } from 'node:events'
import { connect, type TLSSocket } from 'node:tls'
import { generatePrivateKey, precomputeBox, publicKeyOf, sealBox } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import {
  clientFrameLimit,
  decodeServerKey,
  encodeClientInfo,
  encodeSealedClientInfo,
  encodeSendPacket,
  FRAME_RECV_PACKET,
  FRAME_SERVER_INFO,
  FRAME_SERVER_KEY,
  FrameReader,
} from '@mesh/wire/derp'

const UPGRADE = 'GET /derp HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n'
const HEADER = 5
const STAMP = HEADER + 32
const NOTHING = new Uint8Array(0)

/** What all connections of a thread read into, one after the other: nothing to allocate, nothing to collect. */
const SHARED = new Uint8Array(65_536)

/** One connection of the load. */
export class LoadClient {
  readonly key: Uint8Array
  readonly socket: TLSSocket
  /** Packets that came. */
  received = 0
  /** Is told how many packets came at once, and with what stamps when they are asked for. */
  onPackets: (count: number) => void = () => undefined
  /** Is told the stamp of each packet; costs time, so it is left out where only the rate counts. */
  onStamp: ((stamp: number) => void) | undefined
  readonly #privateKey = generatePrivateKey(systemRandom)
  #take: (bytes: Uint8Array) => void = () => undefined
  #toSkip = 0
  #header = new Uint8Array(STAMP + 8)
  #inHeader = 0

  private constructor(port: number) {
    this.key = publicKeyOf(this.#privateKey)
    const callback = (length: number): boolean => {
      this.#take(SHARED.subarray(0, length))
      return true
    }
    // The types do not know that a TLS socket takes `onread` as any socket does.
    const options = {
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      onread: { buffer: SHARED, callback },
    }
    this.socket = connect(options)
  }

  /** Connects by TLS and logs in. */
  static async connect(port: number): Promise<LoadClient> {
    const client = new LoadClient(port)
    await once(client.socket, 'secureConnect')
    client.socket.setNoDelay(true)
    client.socket.write(UPGRADE)
    await client.#logIn()
    client.socket.on('error', () => undefined)
    client.#take = (bytes) => client.#walk(bytes)
    return client
  }

  /** Returns a frame with a packet of `length` bytes for `to`, whose first 8 bytes are the stamp. */
  static frame(to: Uint8Array, length: number, stamp = 0): Uint8Array {
    const packet = new Uint8Array(length)
    new DataView(packet.buffer).setFloat64(0, stamp)
    return encodeSendPacket({ destination: to, packet })
  }

  async #logIn(): Promise<void> {
    const reader = new FrameReader(clientFrameLimit)
    let head: Buffer | undefined = Buffer.alloc(0)
    await new Promise<void>((resolve, reject) => {
      this.socket.once('close', () => reject(new Error('the relay hung up during the login')))
      this.#take = (chunk) => {
        let bytes = chunk
        if (head !== undefined) {
          head = Buffer.concat([head, chunk])
          const end = head.indexOf('\r\n\r\n')
          if (end === -1) return
          bytes = head.subarray(end + 4)
          head = undefined
        }
        reader.feed(bytes)
        for (let frame = reader.read(); frame !== undefined; frame = reader.read()) {
          if (frame.type === FRAME_SERVER_KEY) this.socket.write(clientInfo(this.#privateKey, frame.payload))
          if (frame.type === FRAME_SERVER_INFO) return resolve()
        }
        // What is left of a frame must not lie where the next chunk goes.
        reader.feed(NOTHING)
      }
    })
  }

  // Frames are cut by chunks anywhere: a header is gathered, the rest is passed over.
  #walk(chunk: Uint8Array): void {
    let at = 0
    let packets = 0
    const wanted = this.onStamp === undefined ? HEADER : this.#header.length
    while (at < chunk.length) {
      if (this.#toSkip > 0) {
        const skipped = Math.min(this.#toSkip, chunk.length - at)
        this.#toSkip -= skipped
        at += skipped
        continue
      }
      const header = this.#header
      // Frames that are no packets may be shorter than the stamp is deep.
      const need = this.#inHeader < HEADER ? HEADER : header[0] === FRAME_RECV_PACKET ? wanted : HEADER
      const taken = Math.min(need - this.#inHeader, chunk.length - at)
      for (let i = 0; i < taken; i += 1) header[this.#inHeader + i] = chunk[at + i]!
      this.#inHeader += taken
      at += taken
      if (this.#inHeader < need) continue
      const isPacket = header[0] === FRAME_RECV_PACKET
      if (isPacket && this.#inHeader < wanted) continue
      const view = new DataView(header.buffer)
      this.#toSkip = view.getUint32(1) - (this.#inHeader - HEADER)
      this.#inHeader = 0
      if (!isPacket) continue
      packets += 1
      this.onStamp?.(view.getFloat64(STAMP))
    }
    this.received += packets
    if (packets > 0) this.onPackets(packets)
  }
}

function clientInfo(privateKey: Uint8Array, greeting: Uint8Array): Uint8Array {
  const serverKey = decodeServerKey(greeting)
  const box = serverKey && precomputeBox(privateKey, serverKey)
  if (box === undefined) throw new Error('the relay greeted without a key')
  const nonce = systemRandom(24)
  const info = encodeClientInfo({ version: 2, canAckPings: true, isProber: false })
  return encodeSealedClientInfo({ clientKey: publicKeyOf(privateKey), nonce, box: sealBox(box, nonce, info) })
}
