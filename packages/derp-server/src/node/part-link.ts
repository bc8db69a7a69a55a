// Two parts of one relay, on two cores, talk through a port as two relays of one mesh talk through a socket: in the same
// frames. What one turn of the loop has for the other part travels together (data-plane §2.9).
import type { MessagePort } from 'node:worker_threads'
import {
  decodeClosePeer,
  decodeForwardPacket,
  decodePeerGone,
  decodePeerPresent,
  encodeClosePeer,
  encodeForwardPacket,
  encodePeerGone,
  encodePeerPresent,
  FRAME_CLOSE_PEER,
  FRAME_FORWARD_PACKET,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  type ForwardPacket,
  type Frame,
  FrameReader,
  PEER_GONE_DISCONNECTED,
} from '@mesh/wire/derp'

/** Who is told what the other part says. */
export interface PartEvents {
  /** It has a client, or, `beyond` it, one of its siblings has. */
  readonly present: (nodeKey: Uint8Array, beyond: boolean) => void
  readonly gone: (nodeKey: Uint8Array, beyond: boolean) => void
  readonly forwarded: (packet: ForwardPacket) => void
  readonly closePeer: (nodeKey: Uint8Array) => void
  /** The other part ended. */
  readonly closed: () => void
}

/** How much may be on its way to the other part; above it packets are dropped, as any full queue would. */
const MAX_PENDING = 4 << 20

/** What marks, in frames that would say something else between relays, that a client is at a sibling of the part. */
const BEYOND = 0x80

const NOWHERE = { address: new Uint8Array(16), port: 0 }

/** One end of the link between two parts of a relay. */
export class PartLink {
  readonly #port: MessagePort
  #pending: Uint8Array[] = []
  #length = 0
  /** Bytes sent in all, and how many of them the other part says to have read. */
  #sent = 0
  #readThere = 0
  readonly #waiting: { readonly at: number; readonly inform: () => void }[] = []

  constructor(port: MessagePort, events: PartEvents) {
    this.#port = port
    port.on('message', (message: unknown) => {
      if (typeof message === 'number') this.#noteRead(message)
      else if (message instanceof Uint8Array) this.#read(message, events)
    })
    port.on('close', () => events.closed())
  }

  present(nodeKey: Uint8Array, beyond = false): void {
    this.#add(encodePeerPresent({ peer: nodeKey, endpoint: NOWHERE, flags: beyond ? BEYOND : 0 }))
  }

  gone(nodeKey: Uint8Array, beyond = false): void {
    this.#add(encodePeerGone({ peer: nodeKey, reason: beyond ? BEYOND : PEER_GONE_DISCONNECTED }))
  }

  closePeer(nodeKey: Uint8Array): void {
    this.#add(encodeClosePeer(nodeKey))
  }

  /** Hands a packet over; returns whether there was room. */
  forward(packet: ForwardPacket): boolean {
    if (this.#sent + this.#length - this.#readThere > MAX_PENDING) return false
    this.#add(encodeForwardPacket(packet))
    return true
  }

  /** Calls back once the other part has read all that was said until now; never, if it ends before. */
  whenRead(inform: () => void): void {
    const at = this.#sent + this.#length
    if (at === this.#readThere) inform()
    else this.#waiting.push({ at, inform })
  }

  close(): void {
    this.#port.close()
  }

  #add(frame: Uint8Array): void {
    if (this.#pending.length === 0) queueMicrotask(() => this.#flush())
    this.#pending.push(frame)
    this.#length += frame.length
  }

  #flush(): void {
    const bytes = new Uint8Array(this.#length)
    let at = 0
    for (const frame of this.#pending) {
      bytes.set(frame, at)
      at += frame.length
    }
    this.#pending = []
    this.#length = 0
    this.#sent += bytes.length
    this.#port.postMessage(bytes, [bytes.buffer])
  }

  #noteRead(length: number): void {
    this.#readThere += length
    while (this.#waiting.length > 0 && this.#waiting[0]!.at <= this.#readThere)
      this.#waiting.shift()!.inform()
  }

  #read(bytes: Uint8Array, events: PartEvents): void {
    // Whole frames from our own program: there is nothing to bound and nothing to gather.
    const reader = new FrameReader(() => bytes.length)
    reader.feed(bytes)
    for (let frame = reader.read(); frame !== undefined; frame = reader.read()) tell(frame, events)
    this.#port.postMessage(bytes.length, [])
  }
}

function tell({ type, payload }: Frame, events: PartEvents): void {
  switch (type) {
    case FRAME_FORWARD_PACKET:
      return tellIf(decodeForwardPacket(payload), events.forwarded)
    case FRAME_PEER_PRESENT:
      return tellIf(decodePeerPresent(payload), ({ peer, flags }) => events.present(peer, flags === BEYOND))
    case FRAME_PEER_GONE:
      return tellIf(decodePeerGone(payload), ({ peer, reason }) => events.gone(peer, reason === BEYOND))
    case FRAME_CLOSE_PEER:
      return tellIf(decodeClosePeer(payload), events.closePeer)
    default:
      return
  }
}

function tellIf<T>(value: T | undefined, take: (value: T) => void): void {
  if (value !== undefined) take(value)
}
