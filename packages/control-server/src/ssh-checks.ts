// SSH logins that a person has to confirm (control §3.12). The node at which somebody wants to log in asks what to do, and is
// told to show an address and to ask again there; that question is held open until a person decides. A confirmation counts
// for as long as the rule says. Checks are records: they outlive the server, and a person may decide at another one.

import { type NodePolicy, SSH_ACCEPT } from '@mesh/policy'
import type { RandomSource } from '@mesh/sansio'
import type { SSHAction } from '@mesh/wire/control'
import { Deadlines } from './deadlines.ts'
import { ControlError, shown } from './errors.ts'
import { randomHex } from './key-text.ts'
import type { Network } from './network.ts'
import type { SshCheckRecord } from './records.ts'

/** How long a person has to decide: the longest that clients wait. */
export const SSH_CHECK_LIFETIME = 30 * 60_000
/** The longest that a rule lets a confirmation count. */
const MAX_PERIOD = 168 * 3_600_000
/** How many checks of one node, and of all together, may wait; the oldest makes room. */
const MAX_AT_NODE = 16
const MAX_WAITING = 1024
/** How many questions are held open at once. */
const MAX_HELD = 1024
const MAX_USER_NAME = 64
/** How far the clocks of servers of one network may be apart, milliseconds. */
const MAX_CLOCK_SKEW = 5 * 60_000

/** What a node's SSH server asks. */
export interface SshQuestion {
  /** The node that wants to log in. */
  readonly from: number
  /** The node at which it does, which asks. */
  readonly to: number
  /** Who it would become there. */
  readonly localUser: string
  /** The check that the answer to an earlier question named; empty for a first one. */
  readonly check: string
}

/** What {@link SshChecks} stand on. */
export interface SshChecksOptions {
  /** Where checks are remembered. */
  readonly network: Network
  /** Returns what the policy means for a node now. */
  readonly policyOf: (node: number) => NodePolicy | undefined
  /** The address clients know the server by, without a trailing slash. */
  readonly serverUrl: string
  /** Strong random bytes, for the names of pages. */
  readonly random: RandomSource
  /** Returns the wall clock's Unix milliseconds. */
  readonly wallClock: () => number
}

/** Keeps checks until somebody decides, and the exchanges that are held open for them. */
export class SshChecks {
  readonly #options: SshChecksOptions
  readonly #held = new Map<number, string>()
  readonly #deadlines = new Deadlines<string>()

  constructor(options: SshChecksOptions) {
    this.#options = options
  }

  /** Returns the check that waits for a person under this key. */
  waiting(key: string): SshCheckRecord | undefined {
    const check = this.#byKey(key)
    return check?.acceptedAt === undefined ? check : undefined
  }

  /** Returns the names of the two nodes of a check: who logs in, and where. */
  namesOf({ from, to }: SshCheckRecord): readonly [from: string, to: string] {
    const nameOf = (id: number): string => this.#options.network.node(id)?.givenName ?? `node ${id}`
    return [nameOf(from), nameOf(to)]
  }

  /** Answers a question, or holds its exchange open until a person has decided. Who asks must be the node `to`. */
  ask(exchange: number, question: SshQuestion, now: number): SSHAction | undefined {
    this.#forgetOld()
    const period = this.#periodFor(question)
    if (period === undefined) return rejected('The policy does not let you log in here.')
    const check = this.#byKey(question.check)
    const isMeant = check !== undefined && isAbout(check, question)
    if (isMeant && check.acceptedAt !== undefined) return SSH_ACCEPT
    if (isMeant) return this.#hold(exchange, check, now)
    return this.#isConfirmed(question, period) ? SSH_ACCEPT : this.#delegate(question)
  }

  /** Forgets an exchange whose client went away. */
  leave(exchange: number): void {
    this.#held.delete(exchange)
  }

  /** Confirms a login. Throws {@link ControlError} when none waits under the key. */
  approve(key: string): SshCheckRecord {
    const check = this.#mustWait(key)
    for (const each of this.#all())
      if (each.acceptedAt !== undefined && isAbout(each, check)) this.#remove(each)
    const accepted = { ...check, acceptedAt: this.#options.wallClock() }
    this.#options.network.state.put('sshChecks', accepted)
    return accepted
  }

  /** Refuses a login. Throws {@link ControlError} when none waits under the key. */
  reject(key: string): SshCheckRecord {
    const check = this.#mustWait(key)
    this.#remove(check)
    return check
  }

  /** Returns the exchanges whose checks were decided, here or at another server, with what to answer. */
  settled(): readonly (readonly [exchange: number, action: SSHAction])[] {
    const answers: (readonly [number, SSHAction])[] = []
    for (const [exchange, key] of this.#held) {
      if (this.waiting(key)) continue
      this.#held.delete(exchange)
      answers.push([exchange, this.#byKey(key) ? SSH_ACCEPT : rejected('Nobody confirmed this login.')])
    }
    return answers
  }

  /** Removes the checks whose time is over. */
  handleTimeout(now: number): void {
    const due = this.#deadlines.due(now)
    if (due.length === 0) return
    // Whatever the wall clock says by now: somebody may have set it.
    for (const key of due) {
      const check = this.waiting(key)
      if (check) this.#remove(check)
    }
    this.#forgetOld()
  }

  /** Returns when to call {@link SshChecks.handleTimeout}. */
  next(): number {
    return this.#deadlines.next()
  }

  #periodFor({ from, to, localUser }: SshQuestion): number | undefined {
    if (localUser === '' || localUser.length > MAX_USER_NAME) return undefined
    return this.#options.policyOf(to)?.sshCheckPeriod(from, localUser)
  }

  #isConfirmed(question: SshQuestion, period: number): boolean {
    const wall = this.#options.wallClock()
    // One of the future was confirmed by a clock that was wrong: it would hold until then.
    const isFresh = (at: number): boolean => at > wall - period && at <= wall + MAX_CLOCK_SKEW
    return this.#all().some((check) => isAbout(check, question) && isFresh(check.acceptedAt ?? -Infinity))
  }

  #hold(exchange: number, { key, askedAt }: SshCheckRecord, now: number): SSHAction | undefined {
    if (this.#held.size >= MAX_HELD) return rejected('Too many logins wait to be confirmed: try again later.')
    this.#held.set(exchange, key)
    this.#deadlines.set(key, now + Math.max(0, askedAt + SSH_CHECK_LIFETIME - this.#options.wallClock()))
    return undefined
  }

  #delegate(question: SshQuestion): SSHAction {
    const waiting = this.#all().filter(({ acceptedAt }) => acceptedAt === undefined)
    const { key } = waiting.find((check) => isAbout(check, question)) ?? this.#add(question, waiting)
    const { serverUrl } = this.#options
    return {
      message: `# This login has to be confirmed at\n# ${serverUrl}/ssh/${key}\n`,
      holdAndDelegate: `https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER&auth_id=${key}`,
    }
  }

  #add({ from, to, localUser }: SshQuestion, waiting: readonly SshCheckRecord[]): SshCheckRecord {
    const atNode = waiting.filter((check) => check.to === to)
    const [oldest] = atNode.length >= MAX_AT_NODE ? atNode : waiting.length >= MAX_WAITING ? waiting : []
    if (oldest) this.#remove(oldest)
    const { network, random, wallClock } = this.#options
    const draft = { from, to, localUser, askedAt: wallClock(), acceptedAt: undefined }
    return network.state.add('sshChecks', { key: randomHex(random, 16), ...draft })
  }

  #forgetOld(): void {
    const { network, wallClock } = this.#options
    const wall = wallClock()
    for (const check of this.#all()) {
      const { from, to, askedAt, acceptedAt } = check
      const isOver =
        acceptedAt === undefined ? wall - askedAt >= SSH_CHECK_LIFETIME : wall - acceptedAt >= MAX_PERIOD
      if (isOver || !network.node(from) || !network.node(to)) this.#remove(check)
    }
  }

  #mustWait(key: string): SshCheckRecord {
    const check = this.waiting(key)
    if (check) return check
    const message = `No SSH login waits under ${shown(key)}: it may have expired, or was decided.`
    throw new ControlError('ERR_CONTROL_REGISTRATION_UNKNOWN', message)
  }

  #remove({ id }: SshCheckRecord): void {
    this.#options.network.state.remove('sshChecks', id)
  }

  #byKey(key: string): SshCheckRecord | undefined {
    return this.#all().find((check) => check.key === key)
  }

  #all(): readonly SshCheckRecord[] {
    return [...this.#options.network.state.all('sshChecks').values()]
  }
}

/** A check is bound to who logs in, where, and as whom: it says nothing of another login. */
function isAbout(
  check: SshCheckRecord,
  { from, to, localUser }: Pick<SshQuestion, 'from' | 'to' | 'localUser'>,
): boolean {
  return check.from === from && check.to === to && check.localUser === localUser
}

function rejected(message: string): SSHAction {
  return { reject: true, message }
}
