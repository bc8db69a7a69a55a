// The DerpClient machine with a clock and something that opens streams: the same for every platform.
import { type Clock, type Driver, drive } from '@mesh/sansio'
import type { ByteStream } from './byte-stream.ts'
import type { DerpConnection } from './connection.ts'
import { DerpClient, type DerpClientOptions } from './derp-client.ts'
import type { DerpEvent, DerpOutput, DerpStats } from './output.ts'

/** A stream on which DERP may begin. */
export interface Dialled {
  readonly stream: ByteStream
  /** The server's key, when its certificate told it: the login may go out at once. */
  readonly serverKey?: Uint8Array
}

/** Who is told how a dialling ended. */
export interface DialOutcome {
  readonly opened: (dialled: Dialled) => void
  readonly failed: (error: unknown) => void
}

/**
 * Dials, later calls one function of `outcome`, and returns the way to give up: after that none is called, and a stream
 * that comes too late is closed.
 */
export type Dial = (outcome: DialOutcome) => () => void

type PacketTaker = (source: Uint8Array, packet: Uint8Array) => void

/** A {@link DerpConnection} over any way of dialling. */
export class DrivenConnection implements DerpConnection {
  readonly #region: number
  readonly #clock: Clock
  readonly #openStream: Dial
  readonly #client: DerpClient
  readonly #driver: Driver
  readonly #packetTakers = new Set<PacketTaker>()
  readonly #eventTakers = new Set<(event: DerpEvent) => void>()
  #giveUp: (() => void) | undefined
  #stream: ByteStream | undefined

  constructor(region: number, options: DerpClientOptions, clock: Clock, dial: Dial) {
    this.#region = region
    this.#clock = clock
    this.#openStream = dial
    this.#client = new DerpClient(options, clock.now())
    this.#driver = drive(this.#client, clock, (output) => this.#perform(output))
  }

  get region(): number {
    return this.#region
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
        return this.#dial()
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

  #dial(): void {
    this.#giveUp = this.#openStream({
      opened: (dialled) => {
        this.#open(dialled)
        this.#driver.wake()
      },
      failed: (error) => this.#feed(() => this.#client.handleClosed(this.#clock.now(), error)),
    })
  }

  #open({ stream, serverKey }: Dialled): void {
    this.#giveUp = undefined
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
    this.#giveUp?.()
    this.#giveUp = undefined
    this.#stream?.close()
    this.#stream = undefined
  }
}
