// Pings under way: an identifier for the stack, a sequence number for each, and the time by which it must be back.
import { addressesEqual, type IcmpEcho, type IpAddress } from '@mesh/wire/ip'
import type { NetstackOutput, PingFailure, PingId } from './outputs.ts'

/** How long a ping waits for its answer when nothing else is said, in milliseconds. */
export const PING_TIMEOUT = 5_000

interface Ping {
  readonly id: PingId
  readonly to: IpAddress
  readonly sentAt: number
  readonly deadline: number
}

/** Remembers what was asked, and knows an answer from a stranger's. */
export class Pings {
  /** What marks the echoes of this stack. */
  readonly identifier: number
  readonly #waiting = new Map<number, Ping>()
  #nextId = 1
  #sequence = 0

  constructor(identifier: number) {
    this.identifier = identifier
  }

  /** Notes a ping sent now and returns its number and the sequence number to send. */
  start(to: IpAddress, now: number, timeout: number): { id: PingId; sequence: number } {
    this.#sequence = (this.#sequence + 1) & 0xffff
    const ping = { id: this.#nextId, to: to.slice(), sentAt: now, deadline: now + timeout }
    this.#nextId += 1
    this.#waiting.set(this.#sequence, ping)
    return { id: ping.id, sequence: this.#sequence }
  }

  /** Takes an echo reply; returns what to report, or nothing when it answers no ping of ours. */
  finish(echo: IcmpEcho, from: IpAddress, now: number): NetstackOutput | undefined {
    const ping = this.#take(echo.identifier, echo.sequence, from)
    if (ping === undefined) return undefined
    return { kind: 'pong', ping: ping.id, from: ping.to, latency: now - ping.sentAt }
  }

  /** Takes the network's word that an echo of ours cannot arrive. */
  refuse(identifier: number, sequence: number, to: IpAddress): NetstackOutput | undefined {
    const ping = this.#take(identifier, sequence, to)
    return ping && failed(ping, 'unreachable')
  }

  /** Returns what to report of pings whose time is over. */
  expire(now: number): NetstackOutput[] {
    const outputs: NetstackOutput[] = []
    for (const [sequence, ping] of this.#waiting) {
      if (ping.deadline > now) continue
      this.#waiting.delete(sequence)
      outputs.push(failed(ping, 'timeout'))
    }
    return outputs
  }

  /** Returns when the next ping is over; `Infinity` when there is none. */
  nextDeadline(): number {
    let next = Infinity
    for (const ping of this.#waiting.values()) next = Math.min(next, ping.deadline)
    return next
  }

  #take(identifier: number, sequence: number, peer: IpAddress): Ping | undefined {
    const ping = identifier === this.identifier ? this.#waiting.get(sequence) : undefined
    if (ping === undefined || !addressesEqual(ping.to, peer)) return undefined
    this.#waiting.delete(sequence)
    return ping
  }
}

function failed(ping: Ping, reason: PingFailure): NetstackOutput {
  return { kind: 'ping-failed', ping: ping.id, to: ping.to, reason }
}
