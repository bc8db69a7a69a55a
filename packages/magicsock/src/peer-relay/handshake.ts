// One client's handshake with a peer relay for its end of a tunnel, and the first pings through it: bind, challenge,
// answer, then ping until the peer at the other end answers (data-plane.md section 5.11).
import {
  DISCO_KEY_LENGTH,
  type DiscoMessage,
  type RelayChallenge,
  type RelayEndpoint,
} from '@mesh/wire/disco'
import type { DiscoIdentity } from '../disco-directory.ts'
import type { Hop } from '../hop.ts'
import { sameKey } from '../key-table.ts'
import type { Peer } from '../peer.ts'

/** How long a handshake may take, whatever the relay allows. */
export const MAX_HANDSHAKE_LIFETIME = 30_000
/** How many pings one handshake may send: pings that come in make for pings that go out. */
export const MAX_HANDSHAKE_PINGS = 10
/** When what may have been lost is sent again first; then after twice that, and so on. */
const FIRST_RETRY = 1_000

/** What a handshake needs of its owner. */
export interface HandshakeHost {
  /** Sends a message to a peer relay, sealed for it, with the control bit. */
  sendControl(server: DiscoIdentity, to: Hop, message: DiscoMessage): void
  /** Pings the peer through the tunnel. */
  pingThrough(peer: Peer, to: Hop, now: number): void
}

/** Who told of a tunnel: the peer relay that was asked, the peer at the other end, or we ourselves, being the relay. */
export type Teller = Peer | 'peer' | 'us'

/** What a handshake is about. */
export interface HandshakeSubject {
  readonly peer: Peer
  readonly toldBy: Teller
  /** The peer relay's server. */
  readonly server: DiscoIdentity
  readonly allocation: RelayEndpoint
  /** Where the server may be asked: the allocation's endpoints, those that may be probed. */
  readonly endpoints: readonly Hop[]
  /** Chosen by us, never 0. */
  readonly generation: number
}

/** A handshake under way. */
export class Handshake {
  readonly subject: HandshakeSubject
  readonly #host: HandshakeHost
  readonly #deadline: number
  /** Where the challenge came from, and what it was. */
  #bound: { readonly at: Hop; readonly challenge: Uint8Array } | undefined
  #pings = 0
  #retryAfter = FIRST_RETRY
  #retryAt: number

  constructor(subject: HandshakeSubject, host: HandshakeHost, now: number) {
    this.subject = subject
    this.#host = host
    this.#deadline = now + Math.min(subject.allocation.bindLifetime, MAX_HANDSHAKE_LIFETIME)
    this.#retryAt = now + FIRST_RETRY
    this.#bind()
  }

  /** Where the tunnel is entered; `undefined` before the challenge. */
  get entry(): Hop | undefined {
    return this.#bound?.at
  }

  /** Takes the relay's challenge; the first one counts. Returns false when it is meant for another handshake. */
  handleChallenge(message: RelayChallenge, from: Hop, now: number): boolean {
    const { allocation, generation, peer } = this.subject
    if (message.vni !== allocation.vni || message.generation !== generation) return false
    if (peer.disco === undefined || !sameKey(message.remoteDisco, peer.disco.key)) return false
    if (this.#bound !== undefined) return true
    this.#bound = { at: from, challenge: message.challenge }
    this.#answer(now)
    return true
  }

  /** Hears that a ping has come out of the tunnel: the other end is there, and our own ping may have been too early. */
  handlePing(now: number): void {
    this.#ping(now)
  }

  /** Sends again what may have been lost. Returns false when the time is over. */
  handleTimeout(now: number): boolean {
    if (now >= this.#deadline) return false
    if (now < this.#retryAt) return true
    this.#retryAfter *= 2
    this.#retryAt = now + this.#retryAfter
    if (this.#bound === undefined) this.#bind()
    else this.#answer(now)
    return true
  }

  /** Returns when to call {@link Handshake.handleTimeout}. */
  pollTimeout(): number {
    return Math.min(this.#deadline, this.#retryAt)
  }

  #bind(): void {
    for (const to of this.subject.endpoints) this.#send('relay-bind', to, new Uint8Array(DISCO_KEY_LENGTH))
  }

  #answer(now: number): void {
    if (this.#bound === undefined) return
    this.#send('relay-answer', this.#bound.at, this.#bound.challenge)
    this.#ping(now)
  }

  #send(kind: 'relay-bind' | 'relay-answer', to: Hop, challenge: Uint8Array): void {
    const { peer, server, allocation, generation } = this.subject
    if (peer.disco === undefined) return
    const remoteDisco = peer.disco.key
    this.#host.sendControl(server, to, { kind, vni: allocation.vni, generation, remoteDisco, challenge })
  }

  #ping(now: number): void {
    if (this.#bound === undefined || this.#pings === MAX_HANDSHAKE_PINGS) return
    this.#pings += 1
    this.#host.pingThrough(this.subject.peer, this.#bound.at, now)
  }
}
