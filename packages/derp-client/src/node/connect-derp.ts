// A relay connection for Node: sockets, TLS and timers around the DerpClient machine. It stays up until closed,
// redialling with back-off.
import type { X25519 } from '@mesh/keys'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { ByteStream } from '../byte-stream.ts'
import { DerpClient } from '../derp-client.ts'
import type { DerpEvent, DerpOutput, DerpStats } from '../output.ts'
import type { RelayRegion } from '../region.ts'
import { type Dialled, type DialOptions, dialRegion } from './dial.ts'

/** What {@link connectDerp} is told. */
export interface DerpConnectionOptions {
  /** The region to connect to, as in the DERP map; its nodes are tried in order. */
  readonly region: RelayRegion
  /** This node's private key, 32 bytes; kept, not copied. */
  readonly privateKey: Uint8Array
  /** Whether this region is the node's home, told to the server after each login. */
  readonly preferred?: boolean
  /**
   * Dials without TLS, as Tailscale's clients do with `TS_DEBUG_USE_DERP_HTTP` set. A DERP map has no word for it;
   * nodes with `InsecureForTests` are dialled by TLS first and without it when they do not speak it.
   */
  readonly plain?: boolean
  /** Whether IPv6 is known to work; IPv4 then starts 200 ms late. */
  readonly ipv6Works?: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots?: readonly string[]
  /** The secret of the relay's mesh, 32 bytes: this client is then a mesh peer, if the relay has the same. */
  readonly meshKey?: Uint8Array
  /** Asks to be told by events who is at the relay; only mesh peers may. */
  readonly watch?: boolean
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the system's unless given. */
  readonly random?: RandomSource
  /** A faster X25519 for logins, such as `nodeCrypto` of `@mesh/noise/node`. */
  readonly x25519?: X25519
}

/** A connection to one relay region that redials by itself until closed. */
export interface DerpConnection {
  /** The number of the region it connects to. */
  readonly region: number
  /** Whether the server has accepted the login of the present connection. */
  readonly connected: boolean
  /** What was counted so far. */
  readonly stats: DerpStats
  /**
   * Sends a packet to the node with this key. Never blocks and never throws on a connection that is down: up to
   * 32 packets wait, then the oldest is dropped.
   *
   * @param to - The node key, 32 bytes.
   * @param packet - Copied before `send` returns; at most 65,536 bytes, a longer one is dropped.
   */
  send(to: Uint8Array, packet: Uint8Array): void
  /** Hands a packet from `source` to the relay's own client `destination`, as only a mesh peer may; else like `send`. */
  forward(source: Uint8Array, destination: Uint8Array, packet: Uint8Array): void
  /** Asks the relay to hang up on a client, as only a mesh peer may. */
  closePeer(nodeKey: Uint8Array): void
  /**
   * Calls `take` with each packet: the sender's node key and the bytes, both views valid during the call only.
   * Returns the way to stop.
   */
  onPacket(take: (source: Uint8Array, packet: Uint8Array) => void): () => void
  /** Calls `take` when the server says that a node is not (any more) there. Returns the way to stop. */
  onPeerGone(take: (nodeKey: Uint8Array, reason: number) => void): () => void
  /** Calls `take` with every event, peer-gone too. Returns the way to stop. */
  onEvent(take: (event: DerpEvent) => void): () => void
  /** Tells the server whether this region is the node's home, now and after every reconnect. */
  notePreferred(preferred: boolean): void
  /** Asks the server for an echo; it comes back as a `pong` event, and silence of 3 s makes the client redial. */
  ping(): void
  /** Hangs up for good. Idempotent. */
  close(): void
}

/** Connects to a relay region and stays connected. The attempt starts at once; results arrive as events. */
export function connectDerp(options: DerpConnectionOptions): DerpConnection {
  return new DrivenConnection(options)
}

type PacketTaker = (source: Uint8Array, packet: Uint8Array) => void

class DrivenConnection implements DerpConnection {
  readonly #region: RelayRegion
  readonly #dialOptions: DialOptions
  readonly #clock: Clock
  readonly #client: DerpClient
  readonly #driver: Driver
  readonly #packetTakers = new Set<PacketTaker>()
  readonly #eventTakers = new Set<(event: DerpEvent) => void>()
  #dialling: AbortController | undefined
  #stream: ByteStream | undefined

  constructor(options: DerpConnectionOptions) {
    this.#region = options.region
    this.#dialOptions = {
      plain: options.plain ?? false,
      ipv6Works: options.ipv6Works ?? false,
      extraRoots: options.extraRoots ?? [],
    }
    this.#clock = options.clock ?? systemClock
    const client = {
      privateKey: options.privateKey,
      random: options.random ?? systemRandom,
      preferred: options.preferred ?? false,
      ...(options.meshKey === undefined ? {} : { meshKey: options.meshKey }),
      ...(options.watch === undefined ? {} : { watch: options.watch }),
      ...(options.x25519 === undefined ? {} : { x25519: options.x25519 }),
    }
    this.#client = new DerpClient(client, this.#clock.now())
    this.#driver = drive(this.#client, this.#clock, (output) => this.#perform(output))
  }

  get region(): number {
    return this.#region.RegionID
  }

  get connected(): boolean {
    return this.#client.connected
  }

  get stats(): DerpStats {
    return this.#client.stats
  }

  send(to: Uint8Array, packet: Uint8Array): void {
    this.#client.send(to, packet, this.#clock.now())
    this.#driver.wake()
  }

  forward(source: Uint8Array, destination: Uint8Array, packet: Uint8Array): void {
    this.#client.forward(source, destination, packet, this.#clock.now())
    this.#driver.wake()
  }

  closePeer(nodeKey: Uint8Array): void {
    this.#client.closePeer(nodeKey)
    this.#driver.wake()
  }

  onPacket(take: PacketTaker): () => void {
    this.#packetTakers.add(take)
    return () => this.#packetTakers.delete(take)
  }

  onPeerGone(take: (nodeKey: Uint8Array, reason: number) => void): () => void {
    return this.onEvent((event) => {
      if (event.event === 'peer-gone') take(event.nodeKey, event.reason)
    })
  }

  onEvent(take: (event: DerpEvent) => void): () => void {
    this.#eventTakers.add(take)
    return () => this.#eventTakers.delete(take)
  }

  notePreferred(preferred: boolean): void {
    this.#client.notePreferred(preferred)
    this.#driver.wake()
  }

  ping(): void {
    this.#client.ping(this.#clock.now())
    this.#driver.wake()
  }

  close(): void {
    this.#client.close()
    this.#hangUp()
    this.#driver.close()
  }

  #perform(output: DerpOutput): void {
    switch (output.kind) {
      case 'dial':
        return void this.#dial()
      case 'write':
        if (this.#stream?.write(output.bytes) === false) this.#client.handleFull()
        return
      case 'hang-up':
        return this.#hangUp()
      case 'packet':
        for (const take of this.#packetTakers) take(output.source, output.packet)
        return
      case 'event':
        for (const take of this.#eventTakers) take(output)
    }
  }

  async #dial(): Promise<void> {
    const dialling = new AbortController()
    this.#dialling = dialling
    try {
      const dialled = await dialRegion(this.#region, this.#dialOptions, dialling.signal)
      if (dialling.signal.aborted) return dialled.stream.close()
      this.#open(dialled)
    } catch (error) {
      if (dialling.signal.aborted) return
      this.#client.handleClosed(this.#clock.now(), error)
    }
    this.#driver.wake()
  }

  #open({ stream, serverKey }: Dialled): void {
    this.#dialling = undefined
    this.#stream = stream
    this.#client.handleOpened(this.#clock.now(), serverKey)
    stream.start({
      bytes: (bytes) => this.#feed(() => this.#client.handleBytes(bytes, this.#clock.now())),
      drained: () => this.#feed(() => this.#client.handleDrained(this.#clock.now())),
      closed: (error) => {
        this.#stream = undefined
        this.#feed(() => this.#client.handleClosed(this.#clock.now(), error))
      },
    })
  }

  #feed(input: () => void): void {
    input()
    this.#driver.wake()
  }

  #hangUp(): void {
    this.#dialling?.abort()
    this.#dialling = undefined
    this.#stream?.close()
    this.#stream = undefined
  }
}
