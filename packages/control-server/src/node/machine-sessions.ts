// HTTP/2 inside Noise: every connection's requests become exchanges of the coordinator, in the name of the machine that
// Noise proved. Paths decide; the authority is whatever the client thinks it is (control §2.6).

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { performServerHandshake } from 'node:http2'
import { decodeJson, decodeMapRequest, decodeRegisterRequest } from '@mesh/wire/control'
import type { Coordinator, CoordinatorOutput } from '../coordinator.ts'
import type { NoiseConnection } from './accept-noise.ts'
import { Exchange, turnAway } from './exchange.ts'
import type { ControlLogger } from './logger.ts'
import type { NoiseStream } from './noise-stream.ts'
import { BodyBudget, readBody } from './request-body.ts'

/** A long poll, held logins, updates and replies may all be open at once (control §5.7). */
const MAX_CONCURRENT_STREAMS = 250
/** A connection without an open stream is closed after this long, milliseconds. */
const IDLE_TIMEOUT = 5 * 60_000

/** What sessions need from the one who owns the coordinator. */
export interface MachineSessionsOptions {
  readonly coordinator: Coordinator
  readonly now: () => number
  readonly wake: () => void
  readonly logger: ControlLogger
}

/** All connections of all machines. */
export class MachineSessions {
  readonly #options: MachineSessionsOptions
  readonly #connections = new Set<NoiseStream>()
  readonly #exchanges = new Map<number, Exchange>()
  readonly #bodies = BodyBudget.together()
  #lastExchange = 0

  constructor(options: MachineSessionsOptions) {
    this.#options = options
  }

  /** Serves a connection until either side ends it. */
  serve({ machineKey, stream: noise }: NoiseConnection): void {
    const settings = { maxConcurrentStreams: MAX_CONCURRENT_STREAMS }
    const session = performServerHandshake(noise, { settings })
    this.#connections.add(noise)
    const idle = idleTimer(() => session.close())
    const bodies = this.#bodies.connection()
    session.on('stream', (stream, headers) => {
      idle.hold()
      stream.on('close', () => idle.release())
      // A client may reset a stream whenever it likes; that the stream is gone is told by 'close'.
      stream.on('error', () => undefined)
      void this.#handle(machineKey, stream, headers, bodies)
    })
    session.on('error', (error) => noise.destroy(error))
    session.on('close', () => {
      idle.stop()
      noise.destroy()
    })
    // The session ends with the stream under it; ending it first would write to a stream that may be on its way out.
    noise.on('error', () => undefined)
    noise.on('close', () => this.#connections.delete(noise))
  }

  /** Does what the coordinator wants done. */
  perform(output: CoordinatorOutput): void {
    if (output.kind === 'event') {
      this.#options.logger.info({ node: output.node }, output.event)
      return
    }
    const exchange = this.#exchanges.get(output.exchange)
    if (!exchange) return
    switch (output.kind) {
      case 'register-response':
        return exchange.sendJson(output.response)
      case 'map-response':
        if (!exchange.sendMap(output.response))
          this.#options.logger.warn({}, 'a client stopped reading its map')
        return
      case 'refuse':
        return exchange.sendText(output.status, output.text)
      case 'end':
        return exchange.end()
    }
  }

  /** Ends all connections. */
  close(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  async #handle(
    machineKey: string,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    bodies: BodyBudget,
  ): Promise<void> {
    const path = (headers[':path'] ?? '').split('?', 1)[0] ?? ''
    const take = headers[':method'] === 'POST' ? this.#routes[path] : undefined
    if (!take) return turnAway(stream, path.startsWith('/machine/') ? 501 : 404, 'not implemented')
    const body = await readBody(stream, bodies)
    if (body) take(machineKey, stream, body)
    else turnAway(stream, 413, 'request too large')
  }

  readonly #routes: Readonly<
    Record<string, (machineKey: string, stream: ServerHttp2Stream, body: Uint8Array) => void>
  > = Object.assign(Object.create(null) as object, {
    '/machine/register': (machineKey: string, stream: ServerHttp2Stream, body: Uint8Array) => {
      const request = decodeJson(body, decodeRegisterRequest)
      if (!request) return new Exchange(stream, false).sendText(400, 'bad register request')
      const { coordinator } = this.#options
      this.#begin(stream, false, (id, now) => coordinator.handleRegister(id, machineKey, request, now))
    },
    '/machine/map': (machineKey: string, stream: ServerHttp2Stream, body: Uint8Array) => {
      const request = decodeJson(body, decodeMapRequest)
      if (!request) return new Exchange(stream, false).sendText(400, 'bad map request')
      const { coordinator } = this.#options
      const packed = request.Compress === 'zstd'
      this.#begin(stream, packed, (id, now) => coordinator.handleMap(id, machineKey, request, now))
    },
  })

  #begin(stream: ServerHttp2Stream, packed: boolean, handle: (exchange: number, now: number) => void): void {
    // A client that cancelled while its body was read wants nothing any more (control §3.2).
    if (stream.destroyed) return
    const { coordinator, now, wake, logger } = this.#options
    const id = (this.#lastExchange += 1)
    const exchange = new Exchange(stream, packed)
    this.#exchanges.set(id, exchange)
    stream.on('close', () => {
      this.#exchanges.delete(id)
      coordinator.handleGone(id, now())
      wake()
    })
    try {
      handle(id, now())
    } catch (error) {
      logger.error({ error: error instanceof Error ? error.message : String(error) }, 'a request failed')
      exchange.sendText(500, 'internal error')
    }
    wake()
  }
}

/** Calls `run` when nothing held it for a while. */
function idleTimer(run: () => void): { hold: () => void; release: () => void; stop: () => void } {
  let held = 0
  let timer = setTimeout(run, IDLE_TIMEOUT).unref()
  return {
    hold: () => {
      held += 1
      clearTimeout(timer)
    },
    release: () => {
      held -= 1
      if (held === 0) timer = setTimeout(run, IDLE_TIMEOUT).unref()
    },
    stop: () => clearTimeout(timer),
  }
}
