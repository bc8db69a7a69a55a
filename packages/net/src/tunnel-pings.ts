// Pings that go through the tunnel: TSMP, which the peer's daemon answers, and ICMP, which the peer's own stack
// answers. The answers are taken out of the stream before the host sees them.
import type { RandomSource } from '@mesh/sansio'
import {
  decodeIcmpEcho,
  encodeIcmpEcho,
  encodeIpPacket,
  type IpAddress,
  type IpPacket,
  PROTOCOL_TSMP,
} from '@mesh/wire/ip'
import { encodeTsmp, type TsmpPong } from '@mesh/wire/tsmp'

/** What tells one ping from another. */
const MARK_LENGTH = 8

/** How long an answer is waited for, in milliseconds (data-plane.md section 7.7). */
export const TUNNEL_PING_TIMEOUT = 10_000

interface Waiting {
  readonly sentAt: number
  readonly settled: (latency: number | undefined) => void
}

/** Makes pings and recognises their answers. */
export class TunnelPings {
  readonly #random: RandomSource
  readonly #waiting = new Map<string, Waiting>()

  constructor(random: RandomSource) {
    this.#random = random
  }

  /**
   * Returns the packet of a new ping and the way to give it up. `settled` is called once: with the round trip in
   * milliseconds, or with nothing when the ping was given up.
   */
  start(
    type: 'TSMP' | 'ICMP',
    source: IpAddress,
    destination: IpAddress,
    now: number,
    settled: (latency: number | undefined) => void,
  ): { readonly packet: Uint8Array; readonly giveUp: () => void } {
    const mark = this.#random(MARK_LENGTH)
    const key = mark.join()
    this.#waiting.set(key, { sentAt: now, settled })
    const giveUp = (): void => {
      if (this.#waiting.delete(key)) settled(undefined)
    }
    if (type === 'TSMP') {
      const header = { source, destination, protocol: PROTOCOL_TSMP }
      return { packet: encodeIpPacket(header, encodeTsmp({ kind: 'ping', data: mark })), giveUp }
    }
    const identifier = ((mark[0] ?? 0) << 8) | (mark[1] ?? 0)
    return {
      packet: encodeIcmpEcho(source, destination, { kind: 'request', identifier, sequence: 1, data: mark }),
      giveUp,
    }
  }

  /** Whether any ping waits for its answer. */
  get anyWait(): boolean {
    return this.#waiting.size > 0
  }

  /** Takes an answer to a TSMP ping. */
  handlePong(pong: TsmpPong, now: number): void {
    this.#settle(pong.data, now)
  }

  /** Returns whether the packet is the answer to an ICMP ping of ours. */
  handleEcho(packet: IpPacket, now: number): boolean {
    if (this.#waiting.size === 0) return false
    const echo = decodeIcmpEcho(packet)
    return echo?.kind === 'reply' && echo.data.length === MARK_LENGTH && this.#settle(echo.data, now)
  }

  /** Gives up all that wait. */
  giveUpAll(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { settled } of waiting) settled(undefined)
  }

  #settle(mark: Uint8Array, now: number): boolean {
    const key = mark.join()
    const waiting = this.#waiting.get(key)
    if (!waiting) return false
    this.#waiting.delete(key)
    waiting.settled(now - waiting.sentAt)
    return true
  }
}
