// What an administrator may ask that is no command: it changes nothing and takes a while, because a node or the store has
// to be asked. As data, like commands.

import type { AuditEntry, AuditQuery } from '../audit.ts'
import type { ClientAnswer, ClientCall } from '../client-call.ts'
import type { PingKind } from '../pings.ts'

/** The most entries of the audit log in one answer. */
const MAX_ENTRIES = 10_000
/** As many as people look at, when nobody says how many. */
const USUAL_ENTRIES = 500

/** Asks a node whether it is there. */
export interface PingCommand {
  /** Says that it is a ping. */
  readonly verb: 'nodes ping'
  /** The node's number, name or address. */
  readonly node: string
  /** Which way it is asked. */
  readonly kind: PingKind
}

/** Asks who did what. */
export interface AuditCommand {
  /** Says that it is this question. */
  readonly verb: 'audit list'
  /** The oldest wanted, Unix milliseconds. */
  readonly since?: number
  /** The most of them, the newest; 500 when left out. */
  readonly limit?: number
}

/** Has a node's client do a request of its own handlers. */
export interface CallCommand extends ClientCall {
  /** Says that it is this question. */
  readonly verb: 'nodes c2n'
  /** The node's number, name or address. */
  readonly node: string
}

/** A question. */
export type AdminQuestion = PingCommand | AuditCommand | CallCommand

/** How a ping ended, as JSON. */
export interface PingJson {
  /** Milliseconds until the answer, or `null` when none came in time. */
  readonly roundTrip: number | null
}

/** An entry of the audit log, as JSON. */
export interface AuditJson extends Omit<AuditEntry, 'at'> {
  /** When, RFC 3339. */
  readonly time: string
}

/** What a client answered, as JSON; `null` when it did not in time. */
export type CallJson = (Omit<ClientAnswer, 'body'> & { readonly body: string }) | null

interface Answers {
  'nodes c2n': CallJson
  'nodes ping': PingJson
  'audit list': readonly AuditJson[]
}

/** What a question is answered. */
export type AdminAnswer<Q extends AdminQuestion = AdminQuestion> = Answers[Q['verb']]

/** Who can be asked. */
export interface Questioned {
  /** Asks a node whether it is there; resolves with milliseconds, or nothing when it did not answer. */
  ping(node: string, kind: PingKind): Promise<number | undefined>
  /** Has its client do a request; resolves with nothing when it did not answer. */
  call(node: string, call: ClientCall): Promise<ClientAnswer | undefined>
  /** Returns entries of the audit log. */
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>
}

/** Has a question answered. Rejects with `ControlError`. */
export async function answerQuestion<Q extends AdminQuestion>(
  control: Questioned,
  question: Q,
): Promise<AdminAnswer<Q>> {
  return (await answer(control, question)) as AdminAnswer<Q>
}

async function answer(control: Questioned, question: AdminQuestion): Promise<AdminAnswer> {
  switch (question.verb) {
    case 'nodes ping':
      return { roundTrip: (await control.ping(question.node, question.kind)) ?? null }
    case 'nodes c2n': {
      const { node, method, path, body } = question
      const call = {
        path,
        ...(method === undefined ? {} : { method }),
        ...(body === undefined ? {} : { body }),
      }
      const answered = await control.call(node, call)
      return answered ? { ...answered, body: Buffer.from(answered.body).toString('utf8') } : null
    }
    case 'audit list': {
      const { since, limit = USUAL_ENTRIES } = question
      const most = Math.min(limit, MAX_ENTRIES)
      const entries = await control.audit(since === undefined ? { limit: most } : { since, limit: most })
      return entries.map(({ at, ...entry }) => ({ time: new Date(at).toISOString(), ...entry }))
    }
  }
}

/** Reads a question out of parsed JSON, or returns `undefined` when it is none. */
export function readAdminQuestion(value: unknown): AdminQuestion | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(value))
  const isQuestion = QUESTIONS.get(String(fields.get('verb')))
  return isQuestion?.(fields) ? (value as AdminQuestion) : undefined
}

type Fields = ReadonlyMap<string, unknown>

const QUESTIONS: ReadonlyMap<string, (fields: Fields) => boolean> = new Map([
  [
    'nodes ping',
    (fields: Fields) =>
      typeof fields.get('node') === 'string' && ['head', 'c2n'].includes(fields.get('kind') as string),
  ],
  [
    'nodes c2n',
    (fields: Fields) =>
      ['node', 'path'].every((name) => typeof fields.get(name) === 'string') &&
      ['method', 'body'].every((name) => ['string', 'undefined'].includes(typeof fields.get(name))),
  ],
  [
    'audit list',
    (fields: Fields) => isCountOrNothing(fields.get('since')) && isCountOrNothing(fields.get('limit')),
  ],
])

function isCountOrNothing(value: unknown): boolean {
  return value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)
}
