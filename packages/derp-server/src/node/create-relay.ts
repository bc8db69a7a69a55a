// The relay for Node: mounts the Relay machine in any HTTP server. It moves bytes between sockets and the
// machine and decides nothing but which of the doors a request came to.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'
import { formatHexKey, type X25519 } from '@mesh/keys'
import { type Clock, drive, type RandomSource } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { WebSocketServer } from 'ws'
import type { ReceiveLimit } from '../allowance.ts'
import type { SiblingId } from '../clients.ts'
import type { ConnectionId, Origin } from '../connection.ts'
import type { Quota } from '../quotas.ts'
import type { RelayOutput } from '../output.ts'
import { Relay } from '../relay.ts'
import type { RelayStats } from '../stats.ts'
import { answerRequest, pathOf } from './http-answers.ts'
import { PartLink } from './part-link.ts'
import { inThisThread } from './quota-ledgers.ts'
import {
  type RelayStream,
  type RelayStreamEvents,
  destroyOnError,
  originOf,
  socketStream,
  webSocketStream,
} from './stream.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'

/** Who asks to be admitted: see {@link RelayServerOptions.verifyClient}. */
export interface Admission {
  /** The client's node key, 32 bytes, proved by the login. */
  readonly nodeKey: Uint8Array
  /** The client's address as the socket says it, without the port; empty when unknown. */
  readonly source: string
}

/**
 * What {@link RelayServerOptions.verifyClient} says: yes or no, or yes together with the quota that the client shares with
 * everybody of the same identity.
 */
export type Verdict = boolean | Quota

/** What {@link createRelay} is told. */
export interface RelayServerOptions {
  /** The relay's private key, 32 bytes: a node key like a client's, kept across restarts. */
  readonly privateKey: Uint8Array
  /**
   * Says who may use the relay; absent, everybody may. A refusal, an error and an answer later than 10 s all
   * close the connection without a word.
   */
  readonly verifyClient?: (admission: Admission) => Verdict | Promise<Verdict>
  /** A receiver that takes nothing for this long is cut off, in milliseconds; 2,000 unless given, 0 is never. */
  readonly writeTimeout?: number
  /**
   * How long a TCP connection is silent before the other side is asked for a sign of life, in milliseconds; ten minutes
   * unless given, 0 is never. The relay's own keep-alives are far more frequent.
   */
  readonly tcpKeepAlive?: number
  /**
   * The secret that the relays of one mesh share, 32 bytes. Who says it at login is a mesh peer: admitted unasked, told
   * who is here, and trusted to hand over other people's packets. Without it there are no mesh peers.
   */
  readonly meshKey?: Uint8Array
  /** Whether this relay is to be one part of several: see {@link RelayServer.joinPart}. */
  readonly parts?: boolean
  /** What one client may send; beyond it, reading pauses and nothing is lost. No limit unless given. */
  readonly receiveLimit?: ReceiveLimit
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the system's unless given. */
  readonly random?: RandomSource
  /** A faster X25519 for logins, such as `nodeCrypto` of `@mesh/noise/node`. */
  readonly x25519?: X25519
}

/** The link to another relay of the same mesh: see {@link RelayServer.joinSibling}. */
export interface Sibling {
  /** The sibling has a client with this node key. */
  peerPresent(nodeKey: Uint8Array): void
  /** The sibling has it no longer. */
  peerGone(nodeKey: Uint8Array): void
  /** The link ended, and all that was said on it with it. Idempotent. */
  close(): void
}

/** A relay to be mounted in an HTTP server. */
export interface RelayServer {
  /** The relay's public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** What was counted so far. */
  readonly stats: RelayStats
  /**
   * Takes over an upgrade request; for the server's `'upgrade'` event. Every upgrade is answered here: DERP and
   * WebSocket at `/derp` become connections, any other gets 426 or 404 and is closed.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void
  /**
   * Answers `/derp`, `/derp/probe`, `/derp/latency-check`, `/generate_204` and `/robots.txt`; for the `'request'` event.
   *
   * @returns Whether the path was one of these; when `false`, nothing was written.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean
  /**
   * Joins another relay of the same mesh, to which the caller is connected as its mesh peer and watcher.
   *
   * @param forward - Hands a packet to that relay; the fields are views valid during the call only.
   */
  joinSibling(forward: (source: Uint8Array, destination: Uint8Array, packet: Uint8Array) => void): Sibling
  /**
   * Makes this relay and the one at the other end of the port two parts of one relay, which a client cannot tell from one:
   * for worker threads that share a TCP port, so that a machine's cores add up. Every two parts need a channel between
   * them, all have the same key, and `parts` has to be set.
   *
   * @returns Resolves when the other one knows who is here, or has ended.
   */
  joinPart(port: MessagePort): Promise<void>
  /** Changes what one client may send, for those that are here too; `undefined` lifts the limit. */
  setReceiveLimit(limit: ReceiveLimit | undefined): void
  /**
   * Ends well: takes nothing more from anybody, waits until what others are to get has been sent, at most `within`
   * milliseconds, and closes.
   */
  drain(within: number): Promise<void>
  /** Closes every connection. Idempotent. The HTTP server stays with its owner. */
  close(): void
}

/** How often a relay that drains looks whether it has. */
const DRAIN_CHECK = 5

/** The longest WebSocket message taken; browsers cut frames as they like, so this only bounds memory. */
const MAX_WEBSOCKET_MESSAGE = 1_048_576

/** Makes a relay. It listens nowhere by itself: mount it in `node:http` or `node:https` servers. */
export function createRelay(options: RelayServerOptions): RelayServer {
  return new MountedRelay(options)
}

interface Link {
  readonly stream: RelayStream
  /** Chunks since the last flush; they leave together. */
  pending: Uint8Array[]
}

class MountedRelay implements RelayServer {
  readonly #options: RelayServerOptions
  readonly #clock: Clock
  readonly #relay: Relay
  readonly #driver: ReturnType<typeof drive>
  readonly #links = new Map<ConnectionId, Link>()
  readonly #siblings = new Map<SiblingId, Parameters<RelayServer['joinSibling']>[0]>()
  readonly #parts = new Map<SiblingId, PartLink>()
  readonly #unflushed = new Set<ConnectionId>()
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_WEBSOCKET_MESSAGE,
    handleProtocols: (offered) => (offered.has('derp') ? 'derp' : false),
  })
  /** Whether it is ending: nobody new is let in, and what comes is not taken. */
  #ending = false
  #closed = false

  constructor(options: RelayServerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#relay = new Relay({
      privateKey: options.privateKey,
      random: options.random ?? systemRandom,
      admission: options.verifyClient !== undefined,
      ...(options.writeTimeout === undefined ? {} : { writeTimeout: options.writeTimeout }),
      ...(options.meshKey === undefined ? {} : { meshKey: options.meshKey }),
      ...(options.parts === undefined ? {} : { announce: options.parts }),
      ...(options.receiveLimit === undefined ? {} : { receiveLimit: options.receiveLimit }),
      ...(options.x25519 === undefined ? {} : { x25519: options.x25519 }),
    })
    this.#driver = drive(this.#relay, this.#clock, (output) => this.#perform(output))
  }

  get publicKey(): Uint8Array {
    return this.#relay.publicKey
  }

  get stats(): RelayStats {
    return this.#relay.stats
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    destroyOnError(socket)
    if (this.#ending) return refuseUpgrade(socket, '503 Service Unavailable', 'The relay is closing')
    if (pathOf(request) !== '/derp')
      return refuseUpgrade(socket, '404 Not Found', 'There is nothing to upgrade to here')
    switch (doorOf(request)) {
      case 'derp':
        return this.#openDerp(request, socket, head)
      case 'websocket':
        return this.#openWebSocket(request, socket, head)
      case 'none':
        return refuseUpgrade(socket, '426 Upgrade Required', 'DERP needs a connection upgrade')
    }
  }

  handleRequest(request: IncomingMessage, response: ServerResponse): boolean {
    return answerRequest(request, response)
  }

  joinSibling(forward: Parameters<RelayServer['joinSibling']>[0]): Sibling {
    const id = this.#relay.handleSiblingUp()
    this.#siblings.set(id, forward)
    return {
      peerPresent: (nodeKey) => {
        this.#relay.handlePeerPresent(id, nodeKey, this.#clock.now())
        this.#driver.wake()
      },
      peerGone: (nodeKey) => {
        this.#relay.handlePeerGone(id, nodeKey, this.#clock.now())
        this.#driver.wake()
      },
      close: () => {
        this.#siblings.delete(id)
        this.#relay.handleSiblingDown(id, this.#clock.now())
        this.#driver.wake()
      },
    }
  }

  async joinPart(port: MessagePort): Promise<void> {
    if (this.#options.parts !== true) throw new TypeError('a relay that joins parts needs the option parts')
    const known = Promise.withResolvers<void>()
    const id = this.#relay.handleSiblingUp({ part: true })
    // What its own siblings have is reached by the same link, but is not here in any sense.
    const beyondId = this.#relay.handleSiblingUp({ beyond: true })
    const idOf = (beyond: boolean): SiblingId => (beyond ? beyondId : id)
    const input = (handle: (now: number) => void): void => {
      handle(this.#clock.now())
      this.#driver.wake()
    }
    const link = new PartLink(port, {
      present: (nodeKey, beyond) => input((now) => this.#relay.handlePeerPresent(idOf(beyond), nodeKey, now)),
      gone: (nodeKey, beyond) => input((now) => this.#relay.handlePeerGone(idOf(beyond), nodeKey, now)),
      forwarded: (packet) => input((now) => this.#relay.handleForwarded(packet, now)),
      closePeer: (nodeKey) => input((now) => this.#relay.handleClosePeer(nodeKey, now)),
      closed: () => {
        this.#parts.delete(id)
        for (const each of [id, beyondId]) {
          this.#siblings.delete(each)
          input((now) => this.#relay.handleSiblingDown(each, now))
        }
        known.resolve()
      },
    })
    this.#parts.set(id, link)
    const forward: Parameters<RelayServer['joinSibling']>[0] = (source, destination, packet) => {
      if (!link.forward({ source, destination, packet })) this.#relay.handlePartFull()
    }
    for (const each of [id, beyondId]) this.#siblings.set(each, forward)
    for (const nodeKey of this.#relay.nodeKeys) link.present(nodeKey)
    for (const nodeKey of this.#relay.nodeKeysBeyond) link.present(nodeKey, true)
    link.whenRead(known.resolve)
    await known.promise
  }

  setReceiveLimit(limit: ReceiveLimit | undefined): void {
    this.#relay.setReceiveLimit(limit, this.#clock.now())
    this.#driver.wake()
  }

  async drain(within: number): Promise<void> {
    this.#ending = true
    const deadline = this.#clock.now() + within
    while (!this.#closed && !this.#relay.drained && this.#clock.now() < deadline) {
      await new Promise<void>((resolve) => this.#clock.at(this.#clock.now() + DRAIN_CHECK, resolve))
    }
    this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#ending = true
    this.#closed = true
    this.#driver.close()
    for (const { stream } of this.#links.values()) stream.destroy()
    this.#links.clear()
    for (const part of this.#parts.values()) part.close()
    this.#webSockets.close()
  }

  #openDerp(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    // Fast start: the client knows the key already and expects no HTTP answer at all (§2.3).
    if (request.headers['derp-fast-start'] !== '1') socket.write(switchingProtocols(this.publicKey))
    this.#connect(originOf(request, socket), (events) =>
      socketStream(socket, head, events, this.#options.tcpKeepAlive),
    )
  }

  #openWebSocket(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const origin = originOf(request, socket)
    this.#webSockets.handleUpgrade(request, socket, Buffer.from(head), (webSocket) => {
      if (this.#ending) return webSocket.terminate()
      this.#connect(origin, (events) => webSocketStream(webSocket, events))
    })
  }

  #connect(origin: Origin, open: (events: RelayStreamEvents) => RelayStream): void {
    const id = this.#relay.handleConnect(this.#clock.now(), origin)
    const stream = open({
      bytes: (bytes) => {
        // Read all the same: closing a socket with bytes in it would throw away what it still has to send.
        if (this.#ending) return
        this.#relay.handleBytes(id, bytes, this.#clock.now())
        this.#driver.wake()
      },
      taken: (length) => {
        this.#relay.handleWritten(id, length, this.#clock.now())
        this.#driver.wake()
      },
      closed: () => {
        this.#links.delete(id)
        this.#relay.handleClosed(id, this.#clock.now())
        this.#driver.wake()
      },
    })
    this.#links.set(id, { stream, pending: [] })
    this.#driver.wake()
  }

  #perform(output: RelayOutput): void {
    switch (output.kind) {
      case 'forward':
        this.#siblings.get(output.sibling)?.(output.source, output.destination, output.packet)
        return
      case 'close-peer':
        return this.#parts.get(output.sibling)?.closePeer(output.nodeKey)
      case 'presence':
        return this.#spread(output)
      default:
        this.#performOn(output)
    }
  }

  #spread({ nodeKey, present, beyond, connection }: Extract<RelayOutput, { kind: 'presence' }>): void {
    for (const [id, part] of this.#parts) {
      part[present ? 'present' : 'gone'](nodeKey, beyond)
      if (connection === undefined) continue
      part.whenRead(() => {
        this.#relay.handleAware(connection, id, this.#clock.now())
        this.#driver.wake()
      })
    }
  }

  #performOn(output: Extract<RelayOutput, { connection: ConnectionId }>): void {
    const link = this.#links.get(output.connection)
    if (link === undefined) return
    switch (output.kind) {
      case 'write':
        link.pending.push(output.bytes)
        return this.#flushSoon(output.connection)
      case 'close':
        this.#links.delete(output.connection)
        return link.stream.destroy()
      case 'pause':
      case 'resume':
        return link.stream[output.kind]()
      case 'admit':
        link.stream.pause()
        void this.#admit(output.connection, { nodeKey: output.nodeKey, source: output.source })
    }
  }

  async #admit(id: ConnectionId, admission: Admission): Promise<void> {
    const verdict = await ask(this.#options.verifyClient, admission)
    if (this.#closed) return
    const quota = typeof verdict === 'object' ? inThisThread(verdict) : undefined
    this.#relay.handleAdmission(id, verdict !== false, this.#clock.now(), quota)
    this.#driver.wake()
    this.#links.get(id)?.stream.resume()
  }

  // What one turn of the loop wrote to a connection leaves in one system call.
  #flushSoon(id: ConnectionId): void {
    if (this.#unflushed.size === 0) queueMicrotask(() => this.#flush())
    this.#unflushed.add(id)
  }

  #flush(): void {
    for (const id of this.#unflushed) this.#flushLink(id)
    this.#unflushed.clear()
  }

  #flushLink(id: ConnectionId): void {
    const link = this.#links.get(id)
    if (link === undefined || link.pending.length === 0) return
    const chunks = link.pending
    link.pending = []
    link.stream.write(chunks)
  }
}

async function ask(verify: RelayServerOptions['verifyClient'], admission: Admission): Promise<Verdict> {
  try {
    const verdict = await verify?.(admission)
    // Only what is plainly a yes is one.
    return verdict === true || (typeof verdict === 'object' && verdict !== null) ? verdict : false
  } catch {
    return false
  }
}

// An upgrade to "websocket" without the subprotocol is what ancient clients sent for DERP itself (§2.1).
function doorOf(request: IncomingMessage): 'derp' | 'websocket' | 'none' {
  const upgrade = request.headers.upgrade?.toLowerCase()
  if (upgrade === 'derp') return 'derp'
  if (upgrade !== 'websocket') return 'none'
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()) ?? []
  return offered.includes('derp') ? 'websocket' : 'derp'
}

function switchingProtocols(publicKey: Uint8Array): string {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: DERP',
    'Connection: Upgrade',
    'Derp-Version: 2',
    `Derp-Public-Key: ${formatHexKey(publicKey)}`,
    '\r\n',
  ].join('\r\n')
}
