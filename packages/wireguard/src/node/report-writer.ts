// Collects what the packet thread has to say, and posts it: at once where somebody waits for it, else now and then.
import type { Endpoint } from '@mesh/wire/ip'
import { ACTIVITY, addActivity } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'
import type { PlaneCounters } from '../plane-counters.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { MAX_REPORTS, type PlaneNews, SHARED_REPORTS, type TroubleNews } from './plane-messages.ts'

/** Longest time that news without haste waits, in milliseconds. */
const PATIENCE = 50
/** Pieces of each kind in a report at most, and bytes in all of them. */
const MAX_PIECES = 256
const MAX_BYTES = 256 * 1024
/** Failed sends in a report at most. */
const MAX_TROUBLES = 16
/** What the machine must hear at once: it makes the next packet possible. */
const URGENT = ACTIVITY.needSession | ACTIVITY.established | ACTIVITY.rekey
/** How often a source is said again that has not changed, in milliseconds. */
const SOURCE_AGAIN = 2_000

/** The outgoing mail of the packet thread. */
export class ReportWriter {
  sendErrors = 0
  hostDrops = 0
  overflow = 0
  readonly #post: (news: PlaneNews) => void
  readonly #words: Int32Array
  readonly #counters: PlaneCounters
  readonly #peers = new Map<PlanePeer, number>()
  readonly #heard = new Map<PeerId, { source: Endpoint | number; at: number }>()
  #datagrams: { bytes: Uint8Array; source: Endpoint | number }[] = []
  #packets: { bytes: Uint8Array; peer: PeerId }[] = []
  #sealed: { bytes: Uint8Array; peer: PeerId }[] = []
  /** The last of each peer: one that is here and there takes no more room than others. */
  readonly #sources = new Map<PeerId, Endpoint | number>()
  #ended: number[] = []
  #troubles: TroubleNews[] = []
  #confirmed: { peer: PeerId; localIndex: number }[] = []
  /** Bytes of all pieces. */
  #bytes = 0
  #urgent = false
  /** How many lost packets the control thread has heard of. */
  #lossesTold = 0
  /** When the oldest news came that can wait. Whole milliseconds, or a number would be an object. */
  #since: number | undefined

  constructor(post: (news: PlaneNews) => void, words: Int32Array, counters: PlaneCounters) {
    this.#post = post
    this.#words = words
    this.#counters = counters
  }

  /** A datagram (lent) for the control side. */
  datagram(bytes: Uint8Array, source: Endpoint | number): void {
    if (this.#hasRoom(this.#datagrams, bytes.length)) this.#datagrams.push({ bytes: bytes.slice(), source })
  }

  /** A packet (lent) for the control side. */
  packet(bytes: Uint8Array, peer: PeerId): void {
    if (this.#hasRoom(this.#packets, bytes.length)) this.#packets.push({ bytes: bytes.slice(), peer })
  }

  /** A sealed datagram (lent) that the control side must send. */
  sealed(bytes: Uint8Array, peer: PeerId): void {
    if (this.#hasRoom(this.#sealed, bytes.length)) this.#sealed.push({ bytes: bytes.slice(), peer })
  }

  /** Authentic data came from there. */
  source(peer: PeerId, source: Endpoint | number, now: number): void {
    const last = this.#heard.get(peer)
    const same = last?.source === source
    if (same && now - last.at < SOURCE_AGAIN) return
    this.#heard.set(peer, { source, at: now })
    this.#sources.set(peer, source)
    this.#wait(now)
    if (!same) this.#urgent = true
  }

  /** Something happened with a peer. */
  activity(peer: PlanePeer, activity: number, now: number): void {
    this.#peers.set(peer, addActivity(this.#peers.get(peer) ?? 0, activity))
    if ((activity & URGENT) !== 0) this.#urgent = true
    this.#wait(now)
  }

  /** A session has ended. */
  ended(localIndex: number): void {
    this.#ended.push(localIndex)
    this.#urgent = true
  }

  /** A session that its peer began is in use now. */
  confirmed(peer: PeerId, localIndex: number): void {
    this.#confirmed.push({ peer, localIndex })
    this.#urgent = true
  }

  /** Datagrams to an endpoint could not be sent: the negative error number. Said once a report for each endpoint. */
  trouble(result: number, to: Endpoint, datagrams: number, now: number): void {
    this.sendErrors += datagrams
    const known = this.#troubles.some((one) => one.to === to && one.result === result)
    if (!known && this.#troubles.length < MAX_TROUBLES) this.#troubles.push({ result, to })
    this.#wait(now)
  }

  /** Forgets the peers that are not among these. */
  keepPeers(kept: ReadonlySet<PeerId>): void {
    for (const peer of this.#heard.keys()) if (!kept.has(peer)) this.#heard.delete(peer)
  }

  /**
   * Milliseconds until {@link flush} has something to post; `Infinity` when there is nothing. While too many reports are
   * under way everything waits.
   */
  timeout(now: number): number {
    if (!this.#urgent && this.#since === undefined) return Infinity
    if (this.#isCrowded()) return PATIENCE
    return this.#urgent || this.#since === undefined ? 0 : this.#since + PATIENCE - now
  }

  /** Posts what is due. Packets that were lost are news, too, if such as can wait. */
  flush(now: number): void {
    const losses = this.#counters.dropped + this.sendErrors + this.hostDrops + this.overflow
    if (losses !== this.#lossesTold) this.#wait(now)
    if (this.timeout(now) > 0) return
    this.#lossesTold = losses
    this.#post({
      kind: 'report',
      datagrams: this.#datagrams,
      packets: this.#packets,
      sealed: this.#sealed,
      sources: Array.from(this.#sources, ([peer, source]) => ({ peer, source })),
      peers: Array.from(this.#peers, ([peer, activity]) => ({
        peer: peer.id,
        activity,
        sentBytes: peer.sentBytes,
        receivedBytes: peer.receivedBytes,
        sentPackets: peer.sentPackets,
        receivedPackets: peer.receivedPackets,
        direct: peer.direct,
      })),
      ended: this.#ended,
      confirmed: this.#confirmed,
      troubles: this.#troubles,
      counters: {
        sealed: this.#counters.sealed,
        opened: this.#counters.opened,
        drops: this.#counters.drops,
        sendErrors: this.sendErrors,
        hostDrops: this.hostDrops,
        overflow: this.overflow,
      },
    })
    Atomics.add(this.#words, SHARED_REPORTS, 1)
    this.#datagrams = []
    this.#packets = []
    this.#sealed = []
    this.#sources.clear()
    this.#ended = []
    this.#troubles = []
    this.#confirmed = []
    this.#bytes = 0
    this.#peers.clear()
    this.#urgent = false
    this.#since = undefined
  }

  /** Strangers choose how much of this there is, so it is bounded: in one report, and in reports under way. */
  #hasRoom(list: readonly unknown[], bytes: number): boolean {
    this.#urgent = true
    if (list.length < MAX_PIECES && this.#bytes + bytes <= MAX_BYTES && !this.#isCrowded()) {
      this.#bytes += bytes
      return true
    }
    this.overflow += 1
    return false
  }

  #isCrowded(): boolean {
    return Atomics.load(this.#words, SHARED_REPORTS) >= MAX_REPORTS
  }

  #wait(now: number): void {
    this.#since ??= now
  }
}
