// Asking a node whether it is there (control §3.9): by a HEAD of an address of ours, which shows that its client runs and
// reaches us, or by a request to the client itself (c2n). An answer counts only under the unguessable id that was asked
// with, and a c2n answer only from the node's own machine (control §9.7.8).

import type { RandomSource } from '@mesh/sansio'
import type { PingRequest } from '@mesh/wire/control'
import { randomHex } from './key-text.ts'
import { toBase64 } from './base64.ts'
import { encodeClientCall } from './client-call.ts'
import { Deadlines } from './deadlines.ts'

/** How long a node has to answer. */
export const PING_TIMEOUT = 5000

/** Which way a node is asked. */
export type PingKind = 'head' | 'c2n'

/** How a ping ended. */
export interface PingOutcome {
  /** The id under which it was asked. */
  readonly id: string
  /** Milliseconds until the answer, or `undefined` when none came in time. */
  readonly roundTrip: number | undefined
  /** What a client answered to a request; nothing else has any. */
  readonly answer?: Uint8Array
  /** Whether a client answered with more than is taken. */
  readonly isTooLong?: true
}

/** A question. */
export interface PingQuestion {
  /** Which way it is asked. */
  readonly kind: PingKind
  /** By `c2n`: the HTTP/1.1 request to the client's own handlers; `GET /echo` when left out. */
  readonly payload?: Uint8Array
  /** How long the node has, milliseconds; {@link PING_TIMEOUT} when left out. */
  readonly timeout?: number
}

interface Asked {
  readonly kind: PingKind
  readonly machineKey: string
  readonly at: number
}

/** What every client answers. */
const ECHO = encodeClientCall({ path: '/echo' })

/** Keeps what was asked until it is answered or given up. */
export class Pings {
  readonly #random: RandomSource
  readonly #serverUrl: string
  readonly #asked = new Map<string, Asked>()
  readonly #deadlines = new Deadlines<string>()

  constructor(random: RandomSource, serverUrl: string) {
    this.#random = random
    this.#serverUrl = serverUrl
  }

  /** Notes a new question. Returns its id and what the client is to be told. */
  ask(
    machineKey: string,
    { kind, payload = ECHO, timeout = PING_TIMEOUT }: PingQuestion,
    now: number,
  ): { readonly id: string; readonly request: PingRequest } {
    const id = randomHex(this.#random, 16)
    this.#asked.set(id, { kind, machineKey, at: now })
    this.#deadlines.set(id, now + timeout)
    if (kind === 'head') return { id, request: { URL: `${this.#serverUrl}/machine/ping-response?id=${id}` } }
    // The host does not matter inside Noise, but clients insist on https.
    const URL = `https://${this.#serverUrl.replace(/^https?:\/\//, '')}/machine/c2n/${id}`
    return { id, request: { URL, URLIsNoise: true, Types: 'c2n', Payload: toBase64(payload) } }
  }

  /** Takes an answer; a c2n answer comes with the machine that Noise proved. Returns nothing for one nobody asked for. */
  answer(
    id: string,
    kind: PingKind,
    machineKey: string | undefined,
    now: number,
    answer?: Uint8Array,
  ): PingOutcome | undefined {
    const asked = this.#asked.get(id)
    if (asked?.kind !== kind || (kind === 'c2n' && asked.machineKey !== machineKey)) return undefined
    this.#forget(id)
    return { id, roundTrip: now - asked.at, ...(answer ? { answer } : {}) }
  }

  /** Tells whether a machine was asked under this id for something of its client, and has not answered. */
  awaits(id: string, machineKey: string): boolean {
    const asked = this.#asked.get(id)
    return asked?.kind === 'c2n' && asked.machineKey === machineKey
  }

  /** Returns the questions whose time is over. */
  due(now: number): PingOutcome[] {
    const due = this.#deadlines.due(now)
    for (const id of due) this.#asked.delete(id)
    return due.map((id) => ({ id, roundTrip: undefined }))
  }

  /** Returns when to call {@link Pings.due}. */
  next(): number {
    return this.#deadlines.next()
  }

  #forget(id: string): void {
    this.#asked.delete(id)
    this.#deadlines.delete(id)
  }
}
