// Registrations that wait for a person. Each is bound to the machine and node key that asked, has a name nobody can
// guess, and is forgotten in time; there are only so many, the oldest going first (control §3.1.2, §9.7.2, §9.7.4).

import type { RandomSource } from '@mesh/sansio'
import type { RegisterRequest } from '@mesh/wire/control'
import { formatTime, parseTime, ZERO_TIME } from '@mesh/wire/control'
import { randomHex } from './auth-key.ts'
import { checkHostinfo } from './claims.ts'
import { Deadlines } from './deadlines.ts'

/** How long a person has to approve. */
const PENDING_LIFETIME = 15 * 60_000
/** How many registrations may wait at once. */
const MAX_PENDING = 1024
/** How many requests of one registration are held open. */
const MAX_WAITING = 4

/** A registration nobody has decided. */
export interface PendingRegistration {
  /** The unguessable last part of its page's address. */
  readonly id: string
  /** Who asked. */
  readonly machineKey: string
  /** What they asked, the last time they did, cut down to what an approval needs. */
  readonly request: RegisterRequest
}

interface Entry extends PendingRegistration {
  request: RegisterRequest
  readonly waiting: Set<number>
}

/** Returns the id in the address of a login's page, whatever host it names; `undefined` when there is none. */
export function followedId(followup: string): string | undefined {
  return /\/register\/([0-9a-f]{32})$/.exec(followup)?.[1]
}

/** Keeps registrations until somebody decides, and the exchanges that are held open for them. */
export class PendingRegistrations {
  readonly #random: RandomSource
  readonly #entries = new Map<string, Entry>()
  readonly #byAsker = new Map<string, string>()
  readonly #byExchange = new Map<number, string>()
  readonly #deadlines = new Deadlines<string>()

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** Forgets the oldest registration when there are too many. Returns the exchanges that waited for it. */
  makeRoom(): readonly number[] {
    const [oldest] = this.#entries.keys()
    if (oldest === undefined || this.#entries.size < MAX_PENDING) return []
    return this.take(oldest)?.waiting ?? []
  }

  /** Returns the registration of this machine and key, a new one when it has none. */
  ask(machineKey: string, request: RegisterRequest, now: number): PendingRegistration {
    const known = this.#entries.get(this.#byAsker.get(askerOf(machineKey, request)) ?? '')
    if (known) {
      known.request = cutDown(request)
      return known
    }
    const id = randomHex(this.#random, 16)
    const entry: Entry = { id, machineKey, request: cutDown(request), waiting: new Set() }
    this.#entries.set(entry.id, entry)
    this.#byAsker.set(askerOf(machineKey, request), entry.id)
    this.#deadlines.set(entry.id, now + PENDING_LIFETIME)
    return entry
  }

  /** Returns an undecided registration. */
  get(id: string): PendingRegistration | undefined {
    return this.#entries.get(id)
  }

  /** Tells whether this machine and key may wait for the registration. */
  isFor(id: string, machineKey: string, nodeKey: string): boolean {
    const entry = this.#entries.get(id)
    return entry?.machineKey === machineKey && entry.request.NodeKey === nodeKey
  }

  /** Holds an exchange open until the decision. Returns an older one that had to make room, if any. */
  wait(id: string, exchange: number): number | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    const [oldest] = entry.waiting
    const evicted = entry.waiting.size >= MAX_WAITING ? oldest : undefined
    if (evicted !== undefined) this.leave(evicted)
    entry.waiting.add(exchange)
    this.#byExchange.set(exchange, id)
    return evicted
  }

  /** Forgets an exchange whose client went away. */
  leave(exchange: number): void {
    const id = this.#byExchange.get(exchange)
    if (id === undefined) return
    this.#byExchange.delete(exchange)
    this.#entries.get(id)?.waiting.delete(exchange)
  }

  /** Takes a registration out; its exchanges are the caller's to answer. */
  take(
    id: string,
  ): { readonly pending: PendingRegistration; readonly waiting: readonly number[] } | undefined {
    const entry = this.#entries.get(id)
    if (!entry) return undefined
    this.#entries.delete(id)
    this.#byAsker.delete(askerOf(entry.machineKey, entry.request))
    this.#deadlines.delete(id)
    const waiting = [...entry.waiting]
    for (const exchange of waiting) this.#byExchange.delete(exchange)
    return { pending: entry, waiting }
  }

  /** Returns the ids whose time is over; take each. */
  due(now: number): string[] {
    return this.#deadlines.due(now)
  }

  /** Returns when to call {@link PendingRegistrations.due}. */
  next(): number {
    return this.#deadlines.next()
  }
}

/** Keeps of a stranger's request only what the approval needs, within bounds (threat 26). */
function cutDown({
  Version,
  NodeKey,
  OldNodeKey,
  Expiry,
  Hostinfo,
  Ephemeral,
}: RegisterRequest): RegisterRequest {
  const wish = parseTime(Expiry)
  return {
    Version,
    NodeKey,
    OldNodeKey,
    Expiry: wish === undefined ? ZERO_TIME : formatTime(wish),
    Hostinfo: checkHostinfo(Hostinfo ?? {}),
    ...(Ephemeral === undefined ? {} : { Ephemeral }),
    Followup: '',
    NodeKeySignature: null,
  }
}

function askerOf(machineKey: string, request: RegisterRequest): string {
  return `${machineKey} ${request.NodeKey}`
}
