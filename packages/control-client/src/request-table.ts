// The requests that wait for an answer: what each is for, until when it may wait, and what of its answer has come.
import { ControlError, type ControlErrorCode } from './errors.ts'
import type { ControlOutput } from './output.ts'

/** What a request is for. */
export type Purpose = 'register' | 'map' | 'report' | 'reply' | 'logout' | 'question'

/** A request and what is known of its answer. */
export interface PendingRequest {
  /** What it is for. */
  readonly purpose: Purpose
  /** When to give it up. */
  deadline: number
  /** The answer's status; 0 before it came. */
  status: number
}

/** The most of an answer that is kept: 1 MiB (control protocol §3.1). */
const MAX_ANSWER_LENGTH = 1 << 20

interface Entry extends PendingRequest {
  length: number
  readonly chunks: Uint8Array[]
}

/** The requests under way, by number. */
export class RequestTable {
  readonly #entries = new Map<number, Entry>()
  readonly #out: ControlOutput[]
  #nextId = 1

  /** @param out - Where requests and their ends are put for the shell. */
  constructor(out: ControlOutput[]) {
    this.#out = out
  }

  /** Sends a new request, a POST unless it is said otherwise, and returns its number. */
  send(purpose: Purpose, path: string, body: Uint8Array, deadline: number, method?: 'PATCH'): number {
    const id = this.#nextId
    this.#nextId += 1
    this.#entries.set(id, { purpose, deadline, status: 0, length: 0, chunks: [] })
    this.#out.push({ kind: 'request', id, path, body, ...(method && { method }) })
    return id
  }

  /** Ends a request of which nobody wants to hear more; nothing when it is over. */
  cancel(id: number): void {
    if (this.#entries.delete(id)) this.#out.push({ kind: 'cancel', id })
  }

  /** Returns a request, or `undefined` when it is over. */
  get(id: number): PendingRequest | undefined {
    return this.#entries.get(id)
  }

  /** Keeps a piece of an answer; what exceeds 1 MiB is let go. */
  collect(id: number, chunk: Uint8Array): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.length += chunk.length
    if (entry.length <= MAX_ANSWER_LENGTH) entry.chunks.push(Uint8Array.from(chunk))
  }

  /** Ends a request; returns it with all that was kept of its answer. */
  close(id: number): (PendingRequest & { readonly body: Uint8Array }) | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    this.#entries.delete(id)
    return { ...entry, body: join(entry.chunks) }
  }

  /** Ends all requests; returns what each was for, by number. */
  clear(): ReadonlyMap<number, Purpose> {
    const purposes = new Map([...this.#entries].map(([id, entry]) => [id, entry.purpose]))
    this.#entries.clear()
    return purposes
  }

  /** Returns the numbers of the requests that have waited too long. */
  overdue(now: number): readonly number[] {
    return [...this.#entries].filter(([, entry]) => now >= entry.deadline).map(([id]) => id)
  }

  /** Returns when the next request has waited too long; `Infinity` for never. */
  nextDeadline(): number {
    let next = Infinity
    for (const entry of this.#entries.values()) next = Math.min(next, entry.deadline)
    return next
  }
}

/** Returns why an answer with this status is none, or `undefined` for 200. `what` names the request's purpose. */
export function refusal(status: number, body: Uint8Array, what: string): ControlError | undefined {
  if (status === 200) return undefined
  const message = `the control server refused ${what} with status ${status}${readable(body)}`
  return new ControlError(codeOf(status, what), message)
}

function codeOf(status: number, what: string): ControlErrorCode {
  if (status === 400) return 'ERR_CONTROL_VERSION'
  if (isUnknownNode(status) && what === 'the map') return 'ERR_CONTROL_UNKNOWN_NODE'
  return 'ERR_CONTROL_PROTOCOL'
}

/** Returns whether a map request was refused because the server does not know the node (control §6.2). */
export function isUnknownNode(status: number): boolean {
  return status >= 401 && status <= 404
}

/** Returns the server's words for a person: printable ASCII, the first 200 characters. */
function readable(body: Uint8Array): string {
  const characters = Array.from(body.subarray(0, 200), (byte) =>
    byte > 31 && byte < 127 ? String.fromCharCode(byte) : ' ',
  )
  const words = characters.join('').trim()
  return words === '' ? '' : `: ${words}`
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
