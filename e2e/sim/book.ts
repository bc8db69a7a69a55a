// The book of a run: what was sent, what came, and when the world was in trouble. It holds what happened against three
// promises: nothing is accepted twice or from somebody else; what is sent is lost only to trouble that the sender could
// not know of yet; and paths are as the model says once trouble is over.
import { SENT } from '@mesh/magicsock'
import type { NodeWatch, SimNode } from './node.ts'

/** A datagram is never longer under way than this. */
export const FLIGHT = 1_000
/** How long a path is believed in that nobody answers on any more (data-plane.md section 5.1), and a pong's way. */
export const BELIEF = 6_500 + FLIGHT

/** A time of trouble for what goes from one node to another. */
interface Trouble {
  readonly from: number
  until: number
}

interface Datagram {
  readonly at: number
  readonly from: number
  readonly to: number
  readonly sent: number
}

interface Packet {
  readonly at: number
  readonly from: number
  readonly to: number
  accepted: boolean
}

/** What a promise broken says. */
export class BrokenPromise extends Error {}

/** See the head of this file. */
export class Book {
  readonly watch: NodeWatch
  readonly #now: () => number
  readonly #under: Map<string, Datagram> = new Map()
  readonly #packets: Packet[] = []
  /** How many packets of a way in a row did not come though nothing was in trouble. */
  readonly #missing = new Map<string, number>()
  readonly #direct = new Map<string, Trouble[]>()
  readonly #relayed = new Map<string, Trouble[]>()
  /** The first promise that broke, to be told outside of callbacks. */
  #broken: string | undefined
  #checked = 0

  constructor(now: () => number) {
    this.#now = now
    this.watch = {
      onSent: (node, to, datagram, sent) => this.#noteSent(node, to, datagram, sent),
      onArrived: (node, datagram) => void this.#under.delete(nameOf(node.id, datagram)),
      onAccepted: (node, peer, number) => this.#noteAccepted(node, peer, number),
    }
  }

  /** How many packets were sent through tunnels. */
  get packets(): number {
    return this.#packets.length
  }

  /** Notes a packet about to be sent and returns its number. */
  begin(from: number, to: number): number {
    this.#packets.push({ from, to, at: this.#now(), accepted: false })
    return this.#packets.length - 1
  }

  /**
   * Notes that from now on what goes from one node to the other is in trouble, on direct ways or also on relayed ones.
   *
   * @returns What to call when it is over.
   */
  trouble(from: number, to: number, ways: 'direct' | 'all'): () => void {
    const trouble = { from: this.#now(), until: Infinity }
    const way = `${from}>${to}`
    for (const book of ways === 'all' ? [this.#direct, this.#relayed] : [this.#direct])
      book.set(way, [...(book.get(way) ?? []), trouble])
    return () => {
      trouble.until = this.#now()
    }
  }

  /** Returns since when nothing has troubled what goes between two nodes, either way. */
  calmSince(a: number, b: number): number {
    const all = [`${a}>${b}`, `${b}>${a}`].flatMap((way) => [
      ...(this.#direct.get(way) ?? []),
      ...(this.#relayed.get(way) ?? []),
    ])
    return Math.max(0, ...all.map(({ until }) => until))
  }

  /** Throws {@link BrokenPromise} when a promise is broken. */
  check(calm: number): void {
    const now = this.#now()
    for (const [name, datagram] of this.#under) {
      if (now - datagram.at <= 2 * FLIGHT) break
      this.#under.delete(name)
      if (!this.#isExcused(datagram)) this.#break(`a datagram of ${describe(datagram)} is lost`)
    }
    for (let next = this.#packets[this.#checked]; next !== undefined; next = this.#packets[this.#checked]) {
      if (now - next.at <= 2 * FLIGHT) break
      this.#checked += 1
      this.#noteMissing(next, next.at - this.calmSince(next.from, next.to) > calm)
    }
    if (this.#broken !== undefined) throw new BrokenPromise(this.#broken)
  }

  #noteSent(node: SimNode, to: number, datagram: Uint8Array, sent: number): void {
    const name = nameOf(to, datagram)
    this.#under.delete(name)
    this.#under.set(name, { at: this.#now(), from: node.id, to, sent })
  }

  #noteAccepted(node: SimNode, peer: number, number: number): void {
    const packet = this.#packets[number]
    if (packet === undefined || packet.from !== peer || packet.to !== node.id)
      return this.#break(`node ${node.id} took packet ${number} for one of node ${peer}`)
    if (packet.accepted) return this.#break(`node ${node.id} accepted packet ${number} twice`)
    packet.accepted = true
  }

  /** One packet may be under way while two handshakes cross, and its session is gone when it comes; not two in a row. */
  #noteMissing(packet: Packet, wasCalm: boolean): void {
    const way = `${packet.from}>${packet.to}`
    const missing = packet.accepted || !wasCalm ? 0 : (this.#missing.get(way) ?? 0) + 1
    this.#missing.set(way, missing)
    if (missing > 1) this.#break(`two packets in a row of ${describe(packet)} never came`)
  }

  #isExcused({ at, from, to, sent }: Datagram): boolean {
    const way = `${from}>${to}`
    const during = (book: Map<string, Trouble[]>, after: number): boolean =>
      (book.get(way) ?? []).some((trouble) => at >= trouble.from - FLIGHT && at <= trouble.until + after)
    return sent === SENT.direct ? during(this.#direct, BELIEF) : during(this.#relayed, FLIGHT)
  }

  #break(what: string): void {
    this.#broken ??= what
  }
}

function describe({ at, from, to }: { at: number; from: number; to: number }): string {
  return `node ${from} to node ${to}, sent at ${at.toFixed(1)},`
}

/** Index and counter, or what is random in a handshake message, name a datagram. */
function nameOf(to: number, { buffer, byteOffset, length }: Uint8Array): string {
  return `${to} ${Buffer.from(buffer, byteOffset, Math.min(length, 24)).toString('latin1')}`
}
