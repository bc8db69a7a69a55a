// A tunnel as the peer relay sees it: two clients, each of whom has to show that it receives where it sends from before
// anything is forwarded (data-plane.md section 5.11, the server).
import { constantTimeEqual } from '@mesh/keys'
import type { RandomSource } from '@mesh/sansio'
import type { DiscoMessage, RelayAnswer, RelayBind, RelayChallenge } from '@mesh/wire/disco'
import { type Endpoint, endpointsEqual } from '@mesh/wire/ip'
import { blake2s } from '@noble/hashes/blake2.js'
import type { DiscoIdentity } from '../disco-directory.ts'
import { sameKey } from '../key-table.ts'
import type { PeerId } from '../peer-config.ts'

/** How long both clients have to bind. */
export const BIND_LIFETIME = 30_000
/** How long a bound tunnel lives in which one side is silent. */
export const STEADY_STATE_LIFETIME = 5 * 60_000
const CHALLENGE_LENGTH = 32
const GENERATION_LENGTH = 4
const PORT_LENGTH = 2

/** One side of a tunnel. */
interface End {
  readonly client: DiscoIdentity
  /** Where the client is, once it has shown so. */
  boundTo: Endpoint | undefined
  /** What its challenges are made with: another once it has bound, so that no answer counts twice. */
  challengeKey: Uint8Array
  heardAt: number
  packets: number
  bytes: number
}

/** What came of a packet on one side. */
export interface EndTraffic {
  /** The client's disco key. */
  readonly discoKey: Uint8Array
  /** Where it is bound; `undefined` before. */
  readonly endpoint: Endpoint | undefined
  /** What came from it to be forwarded. */
  readonly packets: number
  readonly bytes: number
}

/** A tunnel. */
export class TunnelSession {
  /** Its number (VNI). */
  readonly vni: number
  /** Orders it among this relay's tunnels. */
  readonly lamportId: bigint
  /** Who asked for it; `undefined` for this node itself. */
  readonly asker: PeerId | undefined
  readonly #ends: readonly [End, End]
  readonly #random: RandomSource
  readonly #allocatedAt: number

  constructor(
    named: Pick<TunnelSession, 'vni' | 'lamportId' | 'asker'>,
    clients: readonly [DiscoIdentity, DiscoIdentity],
    random: RandomSource,
    now: number,
  ) {
    this.vni = named.vni
    this.lamportId = named.lamportId
    this.asker = named.asker
    this.#random = random
    this.#allocatedAt = now
    const begin = (client: DiscoIdentity): End => ({
      client,
      boundTo: undefined,
      challengeKey: random(CHALLENGE_LENGTH),
      heardAt: 0,
      packets: 0,
      bytes: 0,
    })
    this.#ends = [begin(clients[0]), begin(clients[1])]
  }

  /** The two clients' disco keys, sorted. */
  get clientDisco(): readonly [Uint8Array, Uint8Array] {
    return [this.#ends[0].client.key, this.#ends[1].client.key]
  }

  /** What each side has sent. */
  get traffic(): readonly [EndTraffic, EndTraffic] {
    return [trafficOf(this.#ends[0]), trafficOf(this.#ends[1])]
  }

  /** Returns the client with this disco key. */
  clientOf(key: Uint8Array): DiscoIdentity | undefined {
    return this.#ends.find((end) => sameKey(end.client.key, key))?.client
  }

  /** Takes a client's message. Returns the challenge to send back; silence answers everything that is not in order. */
  handleControl(
    client: DiscoIdentity,
    message: DiscoMessage,
    from: Endpoint,
    now: number,
  ): RelayChallenge | undefined {
    if (message.kind !== 'relay-bind' && message.kind !== 'relay-answer') return undefined
    const [a, b] = this.#ends
    const [end, other] = a.client === client ? [a, b] : [b, a]
    if (message.vni !== this.vni || !sameKey(message.remoteDisco, other.client.key)) return undefined
    if (message.kind === 'relay-bind') return this.#challenge(end, message, from)
    this.#bind(end, message, from, now)
    return undefined
  }

  /**
   * Returns where a packet from this source is forwarded to: the other side, once both are bound; `undefined` for any
   * other source.
   */
  forward(from: Endpoint, length: number, now: number): Endpoint | undefined {
    const [a, b] = this.#ends
    if (a.boundTo === undefined || b.boundTo === undefined) return undefined
    const isFromA = isAt(a, from)
    if (!isFromA && !isAt(b, from)) return undefined
    const end = isFromA ? a : b
    end.heardAt = now
    end.packets += 1
    end.bytes += length
    return isFromA ? b.boundTo : a.boundTo
  }

  /** Tells whether its time is over. */
  isExpired(now: number): boolean {
    const [a, b] = this.#ends
    if (a.boundTo === undefined || b.boundTo === undefined) return now - this.#allocatedAt > BIND_LIFETIME
    return now - Math.min(a.heardAt, b.heardAt) > STEADY_STATE_LIFETIME
  }

  /** Computed, not remembered: old binds that somebody plays back push nothing out. */
  #challenge(
    end: End,
    { vni, generation, remoteDisco }: RelayBind,
    from: Endpoint,
  ): RelayChallenge | undefined {
    if (generation === 0) return undefined
    return {
      kind: 'relay-challenge',
      vni,
      generation,
      remoteDisco,
      challenge: challengeOf(end, generation, from),
    }
  }

  #bind(end: End, { generation, challenge }: RelayAnswer, from: Endpoint, now: number): void {
    if (generation === 0 || !constantTimeEqual(challengeOf(end, generation, from), challenge)) return
    end.boundTo = from
    end.heardAt = now
    end.challengeKey = this.#random(CHALLENGE_LENGTH)
  }
}

/** Only who receives at `from` learns it, sealed for this client; it is good for one handshake (its generation). */
function challengeOf({ challengeKey }: End, generation: number, { address, port }: Endpoint): Uint8Array {
  const about = new Uint8Array(GENERATION_LENGTH + PORT_LENGTH + address.length)
  const view = new DataView(about.buffer)
  view.setUint32(0, generation)
  view.setUint16(GENERATION_LENGTH, port)
  about.set(address, GENERATION_LENGTH + PORT_LENGTH)
  return blake2s(about, { key: challengeKey, dkLen: CHALLENGE_LENGTH })
}

/** The source of a bound client is the same object, nearly always. */
function isAt({ boundTo }: End, from: Endpoint): boolean {
  return boundTo === from || (boundTo !== undefined && endpointsEqual(boundTo, from))
}

function trafficOf({ client, boundTo, packets, bytes }: End): EndTraffic {
  return { discoKey: client.key, endpoint: boundTo, packets, bytes }
}
