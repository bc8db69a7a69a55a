// Two stacks, a wire that delays, drops, doubles and reorders, and a clock that is turned: whole TCP conversations in
// no time at all.
import { type Endpoint } from '@mesh/wire/ip'
import type { Netstack, TcpCloseReason, TcpConnectionId } from '../src/index.ts'

/** What the wire does to packets. Chances are between 0 and 1. */
export interface WireFaults {
  readonly loss?: number
  readonly doubling?: number
  /** Milliseconds from one end to the other. */
  readonly delay?: number
  /** Up to so many milliseconds more, each packet by itself: this reorders. */
  readonly jitter?: number
}

/** A program at one end of a connection. */
export class Program {
  /** What it received. */
  readonly received: number[] = []
  connection: TcpConnectionId | undefined
  connected = false
  ended = false
  closed: TcpCloseReason | undefined
  /** Takes what arrives at once; false lets the window fill up. */
  reads = true
  /** Ends its side when the peer has ended. */
  endsWithPeer = true
  /** Sends back what it receives. */
  echoes = false
  readonly #stack: Netstack
  #outbox = new Uint8Array(0)
  #endAfter = false
  #unread = 0

  constructor(stack: Netstack) {
    this.#stack = stack
  }

  connect(to: Endpoint, now: number): void {
    this.connection = this.#stack.connectTcp(to, now)
  }

  send(bytes: Uint8Array, now: number): void {
    this.#outbox = Uint8Array.from([...this.#outbox, ...bytes])
    this.pump(now)
  }

  end(now: number): void {
    this.#endAfter = true
    this.pump(now)
  }

  read(now: number): void {
    this.reads = true
    if (this.connection !== undefined) this.#stack.consumeTcp(this.connection, this.#unread, now)
    this.#unread = 0
  }

  take(bytes: Uint8Array, now: number): void {
    for (const byte of bytes) this.received.push(byte)
    if (this.echoes) this.send(bytes, now)
    if (this.reads && this.connection !== undefined)
      this.#stack.consumeTcp(this.connection, bytes.length, now)
    else this.#unread += bytes.length
  }

  pump(now: number): void {
    if (this.connection === undefined || this.closed !== undefined) return
    const taken = this.#outbox.length === 0 ? 0 : this.#stack.sendTcp(this.connection, this.#outbox, now)
    this.#outbox = this.#outbox.slice(taken)
    if (this.#endAfter && this.#outbox.length === 0) this.#stack.endTcp(this.connection, now)
  }
}

interface Flying {
  readonly at: number
  readonly to: Netstack
  readonly packet: Uint8Array
}

/** The two ends and what is between them. */
export class World {
  now = 0
  /** Packets that were sent, for tests that count. */
  sent = 0
  /** Looks at a packet before it flies; false loses it. */
  filter: (packet: Uint8Array, from: Netstack) => boolean = () => true
  readonly client: Program
  readonly server: Program
  readonly #ends: readonly [Netstack, Netstack]
  readonly #faults: WireFaults
  readonly #chance: () => number
  #flying: Flying[] = []

  constructor(client: Netstack, server: Netstack, faults: WireFaults = {}, chance: () => number = () => 1) {
    this.#ends = [client, server]
    this.client = new Program(client)
    this.server = new Program(server)
    this.#faults = faults
    this.#chance = chance
  }

  /** Runs until nothing is left to do or the time has come; returns whether it ran dry. */
  run(until: number): boolean {
    for (;;) {
      this.#drain()
      const timers = this.#ends.map((stack) => stack.pollTimeout())
      const next = Math.min(...timers, ...this.#flying.map(({ at }) => at))
      if (next > until) {
        this.now = until
        return next === Infinity
      }
      this.now = Math.max(this.now, next)
      this.#land()
      for (const stack of this.#ends) if (stack.pollTimeout() <= this.now) stack.handleTimeout(this.now)
    }
  }

  #land(): void {
    const due = this.#flying.filter(({ at }) => at <= this.now).toSorted((a, b) => a.at - b.at)
    this.#flying = this.#flying.filter(({ at }) => at > this.now)
    for (const { to, packet } of due) {
      to.handlePacket(packet, this.now)
      this.#drain()
    }
  }

  #drain(): void {
    for (let busy = true; busy; ) {
      busy = false
      for (const [index, stack] of this.#ends.entries()) {
        for (let output = stack.poll(); output !== undefined; output = stack.poll()) {
          busy = true
          if (output.kind === 'packet') this.#fly(stack, this.#ends[1 - index] ?? stack, output.packet)
          else this.#tell(index === 0 ? this.client : this.server, output)
        }
      }
    }
  }

  #tell(program: Program, output: Exclude<ReturnType<Netstack['poll']>, undefined>): void {
    if (output.kind === 'tcp-accepted') program.connection = output.connection
    if (output.kind === 'tcp-accepted' || output.kind === 'tcp-connected') program.connected = true
    if (output.kind === 'tcp-data') program.take(output.bytes, this.now)
    if (output.kind === 'tcp-ended') {
      program.ended = true
      if (program.endsWithPeer) program.end(this.now)
    }
    if (output.kind === 'tcp-closed') program.closed = output.reason
    program.pump(this.now)
  }

  #fly(from: Netstack, to: Netstack, packet: Uint8Array): void {
    this.sent += 1
    const { loss = 0, doubling = 0, delay = 10, jitter = 0 } = this.#faults
    if (!this.filter(packet, from) || this.#chance() < loss) return
    for (let copy = this.#chance() < doubling ? 2 : 1; copy > 0; copy--) {
      this.#flying.push({ at: this.now + delay + this.#chance() * jitter, to, packet })
    }
  }
}
