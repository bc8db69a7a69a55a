// A peer as the data plane holds it: at most three sessions, what it may send from, what waits for it, what happened.
import type { Prefix } from '@mesh/wire/ip'
import type { PeerId } from './packet-batch.ts'
import { HOLE, PrefixTable } from './prefix-table.ts'
import type { Session } from './session.ts'
import { StagedPackets } from './staged-packets.ts'

/** The sessions of a peer (data-plane.md 1.3) and its books. */
export class PlanePeer {
  readonly id: PeerId
  readonly staged: StagedPackets = new StagedPackets()
  allowedIps: PrefixTable = new PrefixTable()
  priorityPacket: Uint8Array | undefined
  previous: Session | undefined
  current: Session | undefined
  next: Session | undefined
  /** Bits of what happened in this call, and the last source seen in it. */
  activity = 0
  source = -1
  sentBytes = 0
  sentPackets = 0
  receivedBytes = 0
  receivedPackets = 0
  /** The part of these sums that a packet thread sent by its own sockets, or received by them. */
  readonly direct = { sentBytes: 0, sentPackets: 0, receivedBytes: 0, receivedPackets: 0 }

  constructor(id: PeerId) {
    this.id = id
  }

  /** Says which sources are its, and which of those are not after all. */
  setAllowedIps(prefixes: readonly Prefix[], excluded: readonly Prefix[] = []): void {
    const table = new PrefixTable()
    for (const prefix of prefixes) table.insert(prefix, 1)
    for (const prefix of excluded) table.insert(prefix, HOLE)
    this.allowedIps = table
  }

  /** Puts a session that we began in use; returns those that fall out. */
  begin(session: Session): (Session | undefined)[] {
    const { previous, current, next } = this
    this.current = session
    this.next = undefined
    this.previous = next ?? current
    return next === undefined ? [previous] : [previous, current]
  }

  /** Keeps a session that the peer began until it is heard; returns those that fall out. */
  await(session: Session): (Session | undefined)[] {
    const dropped = [this.previous, this.next]
    this.previous = undefined
    this.next = session
    return dropped
  }

  /** The peer was heard with its session: it is the one in use now. Returns those that fall out. */
  promote(): (Session | undefined)[] {
    const dropped = [this.previous]
    this.previous = this.current
    this.current = this.next
    this.next = undefined
    return dropped
  }

  /** Forgets all sessions; returns them. */
  end(): (Session | undefined)[] {
    const dropped = [this.previous, this.current, this.next]
    this.previous = this.current = this.next = undefined
    return dropped
  }
}
