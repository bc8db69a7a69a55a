// Two devices, a wire between them and a clock: what every test of this package plays with.
import { nodeCrypto } from '@mesh/noise/node'
import { seededRandom } from '@mesh/sansio'
import { encodeIpPacket, parseAddress, parsePrefix, type IpAddress, type Prefix } from '@mesh/wire/ip'
import { packetOf, type PeerConfig, WireGuardDevice, type WireGuardEvent } from '../src/index.ts'

export const A = 1
export const B = 2
const WALL_START = 1_700_000_000_000

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

export function address(text: string): IpAddress {
  const parsed = parseAddress(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

/** An IP packet of protocol 253 (for experiments), `size` bytes in all, whose payload begins with `mark`. */
export function packet(source: string, destination: string, size = 100, mark = 0): Uint8Array {
  const from = address(source)
  const payload = new Uint8Array(size - (from.length === 4 ? 20 : 40))
  if (payload.length > 0) payload[0] = mark
  return encodeIpPacket({ source: from, destination: address(destination), protocol: 253 }, payload)
}

/** Marks of received packets, in order. */
export function marks(packets: readonly Uint8Array[]): number[] {
  return packets.map((bytes) => bytes[(bytes[0] ?? 0) >> 4 === 4 ? 20 : 40] ?? -1)
}

export const typeOf = (datagram: Uint8Array): number => datagram[0] ?? 0

export interface Sent {
  readonly at: number
  readonly from: Side
  readonly bytes: Uint8Array
}

/** One end: a device and all that came out of it. */
export class Side {
  readonly device: WireGuardDevice
  readonly received: Uint8Array[] = []
  readonly events: WireGuardEvent[] = []
  readonly sources: { peer: number; source: number; proof: string }[] = []
  readonly name: string
  peers: PeerConfig[] = []

  constructor(name: string, wire: Wire, key: number, wall: () => number) {
    this.name = name
    this.device = new WireGuardDevice({
      privateKey: new Uint8Array(32).fill(key),
      crypto: nodeCrypto, // a handshake costs a tenth of what it costs in JavaScript
      random: seededRandom(key),
      wallClock: wall,
      outputs: {
        toOverlay: (batch) => {
          for (let i = 0; i < batch.count; i += 1) this.received.push(packetOf(batch, i).slice())
        },
        toUnderlay: (_, batch) => {
          for (let i = 0; i < batch.count; i += 1) wire.carry(this, packetOf(batch, i).slice())
        },
        toSource: (_, datagram) => wire.carry(this, datagram),
        onSource: (peer, source, proof) => this.sources.push({ peer, source, proof }),
        nameSource: (source) => Uint8Array.of(source),
      },
    })
  }
}

/** Two ends and all that passes between them, with no delay unless `hold` says so. */
export class Wire {
  now = 0
  /** Decides whether a datagram gets through. */
  passes: (sent: Sent) => boolean = () => true
  readonly log: Sent[] = []
  readonly #under: { to: Side; bytes: Uint8Array }[] = []
  readonly a: Side
  b: Side
  readonly #wall: () => number

  constructor() {
    const wall = (): number => WALL_START + this.now
    this.#wall = wall
    this.a = new Side('a', this, 0x11, wall)
    this.b = new Side('b', this, 0x33, wall)
    this.a.peers = [
      {
        id: B,
        publicKey: this.b.device.publicKey,
        allowedIps: [prefix('100.64.0.2/32'), prefix('fd7a::2/128')],
      },
    ]
    this.b.peers = [
      {
        id: A,
        publicKey: this.a.device.publicKey,
        allowedIps: [prefix('100.64.0.1/32'), prefix('fd7a::1/128')],
      },
    ]
    this.a.device.setPeers(this.a.peers, 0)
    this.b.device.setPeers(this.b.peers, 0)
  }

  carry(from: Side, bytes: Uint8Array): void {
    const sent = { at: this.now, from, bytes }
    this.log.push(sent)
    if (this.passes(sent)) this.#under.push({ to: from === this.a ? this.b : this.a, bytes })
  }

  /** a's overlay sends a packet to b. */
  fromA(mark = 0, size = 100): void {
    this.a.device.handlePacket(packet('100.64.0.1', '100.64.0.2', size, mark), this.now)
    this.settle()
  }

  /** b's overlay sends a packet to a. */
  fromB(mark = 0, size = 100): void {
    this.b.device.handlePacket(packet('100.64.0.2', '100.64.0.1', size, mark), this.now)
    this.settle()
  }

  /** b starts again with the same key and peers, and remembers nothing. */
  restartB(): void {
    const { peers } = this.b
    this.b = new Side('b', this, 0x33, this.#wall)
    this.b.peers = peers
    this.b.device.setPeers(peers, this.now)
  }

  /** Hands over all that is on its way, and what follows from it. */
  settle(): void {
    for (let next = this.#under.shift(); next !== undefined; next = this.#under.shift()) {
      next.to.device.handleDatagram(next.bytes, 7, this.now)
    }
    for (const side of [this.a, this.b]) {
      for (let event = side.device.poll(); event !== undefined; event = side.device.poll())
        side.events.push(event)
    }
  }

  /** Turns the clock forward, waking both devices whenever they asked for it. */
  advance(duration: number): void {
    const end = this.now + duration
    for (;;) {
      const next = Math.min(this.a.device.pollTimeout(), this.b.device.pollTimeout())
      if (next > end) break
      this.now = Math.max(this.now, next)
      this.a.device.handleTimeout(this.now)
      this.b.device.handleTimeout(this.now)
      this.settle()
    }
    this.now = end
  }

  /** Types of what was sent since `from` entries of the log, as `a1 b2 a4`. */
  said(from = 0): string {
    return this.log
      .slice(from)
      .map((sent) => `${sent.from.name}${typeOf(sent.bytes)}`)
      .join(' ')
  }
}

/** When initiations were sent. */
export const initiations = (wire: Wire): number[] =>
  wire.log.filter((sent) => typeOf(sent.bytes) === 1).map((sent) => sent.at)
