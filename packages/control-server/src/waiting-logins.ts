// Logins that wait for a person. Each is a record bound to the machine and node key that asked, has a name nobody can
// guess, and is forgotten in time; there are only so many, and only so many of one machine or from one place, the oldest going first (control
// §3.1.2, §9.7.2, §9.7.4). Being records, they outlive the server, and a person may approve at another server than the
// machine asked. The requests held open for them are of this server alone.

import type { RandomSource } from '@mesh/sansio'
import type { RegisterRequest } from '@mesh/wire/control'
import { formatTime, parseTime, ZERO_TIME } from '@mesh/wire/control'
import { randomHex } from './key-text.ts'
import { checkHostinfo } from './claims.ts'
import { Deadlines } from './deadlines.ts'
import type { Network } from './network.ts'
import type { LoginRecord } from './records.ts'

/** How long a person has to approve. */
export const LOGIN_LIFETIME = 15 * 60_000
/** How many logins may wait at once. */
const MAX_LOGINS = 1024
/** How many of them may be of one machine, which makes up node keys as it likes. */
const MAX_LOGINS_OF_MACHINE = 4
/** How many of them may be from one place, whose machines are made up as easily. */
const MAX_LOGINS_OF_PLACE = 128
/** How many requests of one login are held open. */
const MAX_WAITING = 4

/** Returns the key in the address of a login's page, whatever host it names; `undefined` when there is none. */
export function followedLogin(followup: string): string | undefined {
  return /\/register\/([0-9a-f]{32})$/.exec(followup)?.[1]
}

/** Keeps logins until somebody decides, and the exchanges that are held open for them. */
export class WaitingLogins {
  readonly #network: Network
  readonly #random: RandomSource
  readonly #wallClock: () => number
  readonly #waiting = new Map<string, Set<number>>()
  readonly #exchanges = new Map<number, LoginRecord>()
  readonly #deadlines = new Deadlines<string>()
  /** Logins whose time is over by the monotonic clock, which nobody sets. */
  readonly #over = new Set<string>()

  constructor(network: Network, random: RandomSource, wallClock: () => number) {
    this.#network = network
    this.#random = random
    this.#wallClock = wallClock
  }

  /** Notes a login that somebody has to decide; one that the same machine asked before is the same login. */
  ask(machineKey: string, request: RegisterRequest, place: string | undefined): LoginRecord {
    const { state } = this.#network
    const from = place === undefined ? {} : { place }
    const asked = { machineKey, request: cutDown(request), askedAt: this.#wallClock(), ...from }
    const own = [...this.#network.logins()].filter((login) => login.machineKey === machineKey)
    for (const login of own) {
      if (login.request.NodeKey !== request.NodeKey) continue
      if (login.refused) {
        state.remove('logins', login.id)
        break
      }
      const again = { ...login, ...asked }
      state.put('logins', again)
      return again
    }
    this.#makeRoom(own, place)
    return state.add('logins', { key: randomHex(this.#random, 16), refused: false, ...asked })
  }

  /** Removes the oldest login of a machine or place that has too many, or of all when they are too many. */
  #makeRoom(own: readonly LoginRecord[], place: string | undefined): void {
    const { state } = this.#network
    const all = [...state.all('logins').values()]
    const near = place === undefined ? [] : all.filter((login) => login.place === place)
    const crowds = [
      [own, MAX_LOGINS_OF_MACHINE],
      [near, MAX_LOGINS_OF_PLACE],
      [all, MAX_LOGINS],
    ] as const
    const [crowd] = crowds.find(([logins, most]) => logins.length >= most) ?? []
    const oldest = crowd?.[0]
    if (oldest) state.remove('logins', oldest.id)
  }

  /** Tells whether this machine and node key may wait for the login. */
  isFor(key: string, machineKey: string, nodeKey: string): boolean {
    const login = this.#network.login(key)
    return login?.machineKey === machineKey && login.request.NodeKey === nodeKey
  }

  /** Holds an exchange open until the decision. Returns an older one that had to make room, if any. */
  wait(key: string, exchange: number): number | undefined {
    const login = this.#network.login(key)
    if (!login) return undefined
    const waiting = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiting)
    const [oldest] = waiting
    const evicted = waiting.size >= MAX_WAITING ? oldest : undefined
    if (evicted !== undefined) this.leave(evicted)
    waiting.add(exchange)
    this.#exchanges.set(exchange, login)
    return evicted
  }

  /** Forgets an exchange whose client went away. */
  leave(exchange: number): void {
    const login = this.#exchanges.get(exchange)
    if (!login) return
    this.#exchanges.delete(exchange)
    const waiting = this.#waiting.get(login.key)
    waiting?.delete(exchange)
    if (waiting?.size === 0) this.#waiting.delete(login.key)
  }

  /**
   * Looks at a login that was made, asked again or decided. Returns the exchanges to answer when it was decided, and
   * whether that is because its time is over.
   */
  look(
    key: string,
    now: number,
  ): readonly (readonly [exchange: number, login: LoginRecord, isOver: boolean])[] {
    const login = this.#network.login(key)
    if (login) this.#deadlines.set(key, now + LOGIN_LIFETIME - Math.max(0, this.#wallClock() - login.askedAt))
    else this.#deadlines.delete(key)
    if (login && !login.refused) return []
    const isOver = this.#over.delete(key)
    const answers: (readonly [number, LoginRecord, boolean])[] = []
    for (const exchange of [...(this.#waiting.get(key) ?? [])]) {
      const asked = this.#exchanges.get(exchange)
      // Another server may have been the first to see that its time is over.
      if (asked) answers.push([exchange, asked, isOver || this.#isOld(asked)])
      this.leave(exchange)
    }
    return answers
  }

  #isOld({ askedAt }: LoginRecord): boolean {
    return this.#wallClock() - askedAt >= LOGIN_LIFETIME
  }

  /** Removes the logins whose time is over. */
  forgetOld(now: number): void {
    for (const key of this.#deadlines.due(now)) {
      const login = this.#network.login(key)
      if (!login) continue
      this.#over.add(key)
      this.#network.state.remove('logins', login.id)
    }
  }

  /** Returns when to call {@link WaitingLogins.forgetOld}. */
  next(): number {
    return this.#deadlines.next()
  }
}

/** Keeps of a stranger's request only what the approval needs, within bounds (threat 26). */
function cutDown(asked: RegisterRequest): RegisterRequest {
  const { Version, NodeKey, OldNodeKey, Expiry, Hostinfo, Ephemeral } = asked
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
