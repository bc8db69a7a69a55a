// A relay connection by the web's own WebSocket: DERP inside binary messages, whose boundaries mean nothing
// (data-plane §2.4). Which certificate to believe is the runtime's business.
import type { X25519 } from '@mesh/keys'
import type { Clock, RandomSource } from '@mesh/sansio'
import { webClock, webRandom } from '@mesh/sansio/browser'
import type { ByteStream, ByteStreamEvents } from '../byte-stream.ts'
import type { DerpConnection } from '../connection.ts'
import { type Dial, DrivenConnection } from '../driven-connection.ts'
import { DerpError } from '../errors.ts'
import type { RelayNode, RelayRegion } from '../region.ts'

/** What {@link connectDerp} is told. */
export interface WebDerpConnectionOptions {
  /** The region to connect to, as in the DERP map; the first of its nodes that is no mere STUN answerer is dialled. */
  readonly region: RelayRegion
  /** This node's private key, 32 bytes; kept, not copied. */
  readonly privateKey: Uint8Array
  /** Whether this region is the node's home, told to the server after each login. */
  readonly preferred?: boolean
  /** Dials without TLS, which a browser allows to pages that came without it. */
  readonly plain?: boolean
  /** Time; the runtime's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the runtime's unless given. */
  readonly random?: RandomSource
  /** A faster X25519 for logins. */
  readonly x25519?: X25519
}

/** The ports of a relay whose map entry names none (data-plane §2.13). */
const TLS_PORT = 443
const PLAIN_PORT = 3340

/** How many bytes may wait in the WebSocket before packets wait in the client's queue instead. */
const HIGH_WATER = 65_536

/** A WebSocket does not say when it has drained, so it is asked: every 10 ms while it is full. */
const DRAIN_CHECK = 10

/** Connects to a relay region and stays connected. The attempt starts at once; results arrive as events. */
export function connectDerp(options: WebDerpConnectionOptions): DerpConnection {
  const { region, privateKey, preferred, x25519 } = options
  const client = {
    privateKey,
    random: options.random ?? webRandom,
    ...(preferred === undefined ? {} : { preferred }),
    ...(x25519 === undefined ? {} : { x25519 }),
  }
  const dial = dialling(region, options.plain ?? false)
  return new DrivenConnection(region.RegionID, client, options.clock ?? webClock, dial)
}

function dialling(region: RelayRegion, plain: boolean): Dial {
  return ({ opened, failed }) => {
    const node = region.Nodes?.find(({ STUNOnly }) => !STUNOnly)
    if (node === undefined) {
      const error = new DerpError('ERR_DERP_NO_NODE', `region ${region.RegionID} has no node to dial`)
      queueMicrotask(() => failed(error))
      return () => undefined
    }
    const webSocket = new WebSocket(urlOf(node, plain), 'derp')
    const stream = new WebStream(webSocket)
    let pending = true
    const settle = (report: () => void) => (): void => {
      if (!pending) return
      pending = false
      report()
    }
    webSocket.addEventListener(
      'open',
      settle(() => opened({ stream })),
    )
    webSocket.addEventListener(
      'close',
      // A browser keeps to itself why.
      settle(() => failed(new DerpError('ERR_DERP_UNREACHABLE', `no WebSocket to ${node.HostName}`))),
    )
    return settle(() => webSocket.close())
  }
}

function urlOf({ HostName, DERPPort }: RelayNode, plain: boolean): string {
  const host = HostName.includes(':') ? `[${HostName}]` : HostName
  return `${plain ? 'ws' : 'wss'}://${host}:${DERPPort || (plain ? PLAIN_PORT : TLS_PORT)}/derp`
}

class WebStream implements ByteStream {
  readonly #webSocket: WebSocket
  #events: ByteStreamEvents | undefined
  #waiting: Uint8Array[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket
    webSocket.binaryType = 'arraybuffer'
    webSocket.addEventListener('message', ({ data }: { data: unknown }) => {
      if (data instanceof ArrayBuffer) this.#take(new Uint8Array(data))
      else webSocket.close()
    })
    webSocket.addEventListener('close', () => {
      clearTimeout(this.#timer)
      if (!this.#closed) this.#events?.closed()
    })
  }

  start(events: ByteStreamEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.bytes(bytes)
  }

  write(bytes: Uint8Array): boolean {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return true
    this.#webSocket.send(bytes)
    if (this.#webSocket.bufferedAmount < HIGH_WATER) return true
    this.#timer ??= setTimeout(() => this.#checkDrained(), DRAIN_CHECK)
    return false
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#webSocket.close()
  }

  #checkDrained(): void {
    this.#timer = undefined
    if (this.#closed) return
    if (this.#webSocket.bufferedAmount < HIGH_WATER) this.#events?.drained()
    else this.#timer = setTimeout(() => this.#checkDrained(), DRAIN_CHECK)
  }

  #take(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#waiting.push(bytes)
    else this.#events.bytes(bytes)
  }
}
