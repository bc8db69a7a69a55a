// When something is due with a peer (data-plane.md 1.5): moments in monotonic milliseconds, `Infinity` for not armed.
import { KEEPALIVE_TIMEOUT, ZERO_KEY_MATERIAL } from './constants.ts'

/** The five timers of a peer. */
export class PeerTimers {
  /** An initiation was not answered. */
  retransmitAt: number = Infinity
  /** Data was received and nothing was sent since. */
  keepaliveAt: number = Infinity
  /** Data was sent and nothing was received since. */
  newHandshakeAt: number = Infinity
  /** No session began for long. */
  zeroKeysAt: number = Infinity
  /** Nothing went either way for as long as the owner allows. */
  persistentAt: number = Infinity

  /** The earliest of them. */
  get nextAt(): number {
    return Math.min(
      this.retransmitAt,
      this.keepaliveAt,
      this.newHandshakeAt,
      this.zeroKeysAt,
      this.persistentAt,
    )
  }

  /** Something authentic was received. */
  received(): void {
    this.newHandshakeAt = Infinity
  }

  /** Authentic data was received: it wants an answer in ten seconds, if only an empty one, which answers all (W10). */
  receivedData(now: number): void {
    if (this.keepaliveAt === Infinity) this.keepaliveAt = now + KEEPALIVE_TIMEOUT
  }

  /** Something authentic was sent. */
  sent(): void {
    this.keepaliveAt = Infinity
  }

  /** Data was sent: it wants an answer until `deadline`. */
  sentData(deadline: number): void {
    if (this.newHandshakeAt === Infinity) this.newHandshakeAt = deadline
  }

  /** A session began. */
  sessionBegan(now: number): void {
    this.zeroKeysAt = now + ZERO_KEY_MATERIAL
  }

  /** Nothing is due any more, but for the persistent keepalive. */
  stop(): void {
    this.retransmitAt = this.keepaliveAt = this.newHandshakeAt = this.zeroKeysAt = Infinity
  }
}
