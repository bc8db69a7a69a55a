// Which way a WireGuard datagram goes: over the peer's UDP path, through its relay, or both while the path is in doubt
// (data-plane.md section 5.4). Sending is also what makes a node look for paths.
import type { Endpoint } from '@mesh/wire/ip'
import type { DropReason } from './drops.ts'
import type { MagicSockOutput } from './output.ts'
import type { Peer } from './peer.ts'
import type { PeerId } from './peer-config.ts'
import type { PeerRows } from './peer-rows.ts'
import type { Sender } from './sender.ts'
import { SENT } from './sent.ts'

/** What the dispatcher needs of the machine it belongs to. */
export interface DispatcherHost {
  /** What packets touch of the peers. */
  readonly rows: PeerRows
  /** Finds a peer. */
  peer(id: PeerId): Peer | undefined
  /** Hears that something is sent after a time when there was nobody to look for. */
  wake(now: number): void
  /** Has the owner do something. */
  put(output: MagicSockOutput): void
  /** Counts what was not sent. */
  drop(reason: DropReason): void
  /** Says that there may be outputs, or another timeout. */
  rearm(): void
}

/** Sends each datagram its way. */
export class Dispatcher {
  readonly #sender: Sender
  readonly #host: DispatcherHost
  /** When something was last sent, or asked for. */
  lastSend: number

  constructor(sender: Sender, host: DispatcherHost, now: number) {
    this.#sender = sender
    this.#host = host
    this.lastSend = now
  }

  /** Sends one datagram to a peer. Returns a set of {@link SENT} bits. */
  send(to: PeerId, datagram: Uint8Array, now: number): number {
    const straight = this.#host.rows.sendStraight(to, datagram.length, now)
    if (straight === undefined) return this.#sendWithCare(this.#host.peer(to), datagram, now)
    this.lastSend = now
    this.#sender.sendTo(straight, datagram)
    return SENT.direct
  }

  /** Sends where there is more to do than to send. */
  #sendWithCare(to: Peer | undefined, datagram: Uint8Array, now: number): number {
    if (to === undefined) return this.#refuse('send-unknown-peer')
    if (to.config.expired === true) return this.#refuse('send-expired-peer')
    this.lastSend = now
    if (to.config.isWireGuardOnly === true) return this.#sendPlainly(to, datagram, now)
    to.noteSend(now)
    const { best } = to
    if (best !== undefined) this.#sender.sendByPath(to, best.endpoint, datagram)
    if (to.isSettled(now)) return SENT.direct
    const way = best?.endpoint.vni === undefined ? SENT.direct : SENT.peerRelay
    const sent = best === undefined ? SENT.nothing : way
    // The packet first: what is looked for takes sealing.
    const byRelay = !to.isTrusted(now) && this.#sender.sendByRelay(to, datagram, now)
    this.#search(to, now)
    if (byRelay) return sent | SENT.relay
    return sent === SENT.nothing ? this.#refuse('send-no-path') : sent
  }

  /** Notes that the owner sends to a peer by itself. Returns where it may go on to; not where a tunnel or door begins. */
  noteTraffic(to: Peer | undefined, now: number): Endpoint | undefined {
    if (to === undefined || to.config.expired === true) return undefined
    this.lastSend = now
    to.noteSend(now)
    return this.straightPath(to, now)
  }

  /** Returns where the owner may send to by itself. */
  straightPath(to: Peer | undefined, now: number): Endpoint | undefined {
    if (to === undefined || to.config.expired === true || !to.isSettled(now)) return undefined
    const hop = to.best?.endpoint
    return hop?.door === undefined ? hop : undefined
  }

  /** To a peer that speaks WireGuard only: one datagram, to the best of its endpoints. */
  #sendPlainly(to: Peer, datagram: Uint8Array, now: number): number {
    for (const endpoint of to.plain.takePings(now)) {
      this.#host.put({ kind: 'icmp-ping', peer: to.id, endpoint })
      this.#host.rearm()
    }
    const endpoint = to.plain.pick(now)
    if (endpoint === undefined) return this.#refuse('send-no-path')
    this.#sender.sendByPath(to, endpoint, datagram)
    return SENT.direct
  }

  #search(peer: Peer, now: number): void {
    this.#host.rearm()
    this.#host.wake(now)
    peer.discover(true, now)
  }

  #refuse(reason: DropReason): number {
    this.#host.drop(reason)
    return SENT.nothing
  }
}
