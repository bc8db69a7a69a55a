// One connection of a machine: its requests, until each is answered or given up. A request is passed on when its body is
// there. A connection without an open request is closed after a while: a stranger's sooner.

import type { Http2Output } from '../http2/http2-server.ts'
import { Exchange } from './exchange.ts'
import type { MachineLink } from './machine-link.ts'
import { RequestBody } from './request-body.ts'
import type { BodyBudget } from './request-body.ts'

const IDLE_TIMEOUT = 5 * 60_000
const STRANGER_IDLE_TIMEOUT = 30_000
const NOTHING = new Uint8Array(0)

/** What a machine asks. */
export interface MachineRequest {
  readonly connection: MachineConnection
  readonly method: string
  readonly path: string
  /** What follows the question mark of the path; empty without one. */
  readonly query: string
  readonly body: Uint8Array
  /** Takes the answer. */
  readonly exchange: Exchange
}

/** What a connection is made of. */
export interface MachineConnectionOptions {
  /** Who is at the other end, as `mkey:` text. */
  readonly machineKey: string
  /** Where it came from. */
  readonly address: string
  readonly link: MachineLink
  readonly bodies: BodyBudget
  readonly onRequest: (request: MachineRequest) => void
  /** Returns the most bytes that the body of a request of this machine may have. */
  readonly mostOf: (machineKey: string, method: string, path: string) => number
  /** Hears of a request whose body has more, or more than there is room for. */
  readonly onTooLong: (machineKey: string, method: string, path: string) => void
  /** Hears that the machine is in the network. */
  readonly onProven: () => void
  readonly onClose: () => void
}

/** A request whose body may be on its way. */
interface Open {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly exchange: Exchange
  body: RequestBody | undefined
}

/** Knows the requests of one connection. */
export class MachineConnection {
  /** Who is at the other end, as `mkey:` text. */
  readonly machineKey: string
  /** Where it came from. */
  readonly address: string
  readonly #options: MachineConnectionOptions
  readonly #requests = new Map<number, Open>()
  #idleTimeout = STRANGER_IDLE_TIMEOUT
  #idle: ReturnType<typeof setTimeout> | undefined

  constructor(options: MachineConnectionOptions) {
    this.#options = options
    this.machineKey = options.machineKey
    this.address = options.address
    this.#rest()
    options.link.open(
      (output) => this.#take(output),
      () => this.#close(),
    )
  }

  /** Notes that the machine is in the network. */
  prove(): void {
    if (this.#idleTimeout === IDLE_TIMEOUT) return
    this.#idleTimeout = IDLE_TIMEOUT
    this.#options.link.http2.trust()
    this.#options.onProven()
  }

  #take(output: Http2Output): void {
    if (output.kind === 'request') return this.#begin(output)
    const open = this.#requests.get(output.stream)
    if (!open) return
    if (output.kind === 'body') this.#gather(open, output.bytes, output.ended)
    else if (output.kind === 'sent') open.exchange.handleWritten()
    else this.#forget(output.stream, open)
  }

  #begin({ stream, method, path, ended }: Http2Output & { readonly kind: 'request' }): void {
    clearTimeout(this.#idle)
    const exchange = new Exchange(this.#options.link, stream)
    const [place = '', ...query] = path.split('?')
    const open: Open = { method, path: place, query: query.join('?'), exchange, body: undefined }
    this.#requests.set(stream, open)
    if (!open.path.startsWith('/machine/')) return exchange.sendText(404, 'not found')
    if (ended) return this.#pass(open, NOTHING)
    const most = this.#options.mostOf(this.machineKey, method, open.path)
    open.body = new RequestBody(this.#options.bodies, () => exchange.cancel(), most)
  }

  #gather(open: Open, bytes: Uint8Array, ended: boolean): void {
    const { body } = open
    if (!body) return
    const isTaken = body.add(bytes)
    if (isTaken && !ended) return
    open.body = undefined
    if (isTaken) return this.#pass(open, body.finish())
    body.abandon()
    const most = this.#options.mostOf(this.machineKey, open.method, open.path)
    open.exchange.sendText(413, `a request may have ${most} bytes, and there must be room`)
    this.#options.onTooLong(this.machineKey, open.method, open.path)
  }

  #pass({ method, path, query, exchange }: Open, body: Uint8Array): void {
    this.#options.onRequest({ connection: this, method, path, query, body, exchange })
  }

  #forget(stream: number, { body, exchange }: Open): void {
    this.#requests.delete(stream)
    body?.abandon()
    exchange.handleOver()
    if (this.#requests.size === 0) this.#rest()
  }

  #rest(): void {
    this.#idle = setTimeout(() => this.#options.link.end(), this.#idleTimeout).unref()
  }

  #close(): void {
    clearTimeout(this.#idle)
    this.#options.onClose()
  }
}
