// HTTP/2 inside Noise: every connection's requests become exchanges of the coordinator, in the name of the machine that
// Noise proved. Paths decide; the authority is whatever the client thinks it is (control §2.6).

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { performServerHandshake } from 'node:http2'
import { decodeJson, decodeMapRequest, decodeRegisterRequest, parseJson } from '@mesh/wire/control'
import type { MapResponse } from '@mesh/wire/control'
import { TRY_AGAIN } from '../command-queue.ts'
import type { CommandQueue } from '../command-queue.ts'
import type { CoordinatorOutput } from '../coordinator-output.ts'
import type { Coordinator } from '../coordinator.ts'
import { answerMachineCall } from '../machine-calls.ts'
import type { MachineCall, MachineCallContext } from '../machine-calls.ts'
import type { PingOutcome } from '../pings.ts'
import type { NoiseConnection } from './accept-noise.ts'
import { Exchange, turnAway } from './exchange.ts'
import type { ControlLogger } from './logger.ts'
import { MapEncoder } from './map-encoder.ts'
import type { NoiseStream } from './noise-stream.ts'
import { NoteLimit } from './note-limit.ts'
import { BodyBudget, readBody } from './request-body.ts'
import { Snapshots } from './snapshots.ts'
import { Strangers } from './strangers.ts'

/** A long poll, held logins, updates and replies may all be open at once (control §5.7). */
const MAX_CONCURRENT_STREAMS = 250
/** A connection without an open stream is closed after this long, milliseconds; a stranger's sooner. */
const IDLE_TIMEOUT = 5 * 60_000
const STRANGER_IDLE_TIMEOUT = 30_000

/** What sessions need from the one who owns the coordinator. */
export interface MachineSessionsOptions {
  readonly coordinator: Coordinator
  /** Where requests that may change records go. */
  readonly queue: () => CommandQueue
  readonly now: () => number
  /** Takes how a ping ended. */
  readonly onPong: (outcome: PingOutcome) => void
  readonly wake: () => void
  readonly logger: ControlLogger
}

/** A connection, from the first request on it. */
interface Link {
  readonly machineKey: string
  readonly bodies: BodyBudget
  /** Notes that the machine is in the network. */
  readonly prove: () => void
}

/** An exchange and the connection it came on. */
interface Open {
  readonly exchange: Exchange
  readonly link: Link
}

/** All connections of all machines. */
export class MachineSessions {
  readonly #options: MachineSessionsOptions
  readonly #connections = new Set<NoiseStream>()
  readonly #exchanges = new Map<number, Open>()
  readonly #strangers = new Strangers()
  readonly #notes = new NoteLimit()
  readonly #bodies = BodyBudget.together()
  readonly #encoder = new MapEncoder()
  readonly #snapshots = new Snapshots({
    mayMake: () => !this.#options.queue().isWriting,
    make: (exchange, onWritten) => this.#sendSnapshot(exchange, onWritten),
  })
  #lastExchange = 0

  constructor(options: MachineSessionsOptions) {
    this.#options = options
  }

  /** Serves a connection until either side ends it. */
  serve({ machineKey, address, stream: noise }: NoiseConnection): void {
    const settings = { maxConcurrentStreams: MAX_CONCURRENT_STREAMS }
    const session = performServerHandshake(noise, { settings })
    this.#connections.add(noise)
    this.#strangers.add(noise, address)
    const idle = idleTimer(() => session.close())
    const prove = (): void => {
      this.#strangers.delete(noise)
      idle.extend()
    }
    const link: Link = { machineKey, bodies: this.#bodies.connection(), prove }
    session.on('stream', (stream, headers) => {
      idle.hold()
      stream.on('close', () => idle.release())
      // A client may reset a stream whenever it likes; that the stream is gone is told by 'close'.
      stream.on('error', () => undefined)
      void this.#handle(link, stream, headers)
    })
    session.on('error', (error) => noise.destroy(error))
    session.on('close', () => {
      idle.stop()
      noise.destroy()
    })
    // The session ends with the stream under it; ending it first would write to a stream that may be on its way out.
    noise.on('error', () => undefined)
    noise.on('close', () => {
      this.#connections.delete(noise)
      this.#strangers.delete(noise)
    })
  }

  /** Does what the coordinator wants done. */
  perform(output: CoordinatorOutput): void {
    if (output.kind === 'event') {
      this.#options.logger.info({ node: output.node }, output.event)
      return
    }
    if (output.kind === 'pong') return this.#options.onPong(output)
    const open = this.#exchanges.get(output.exchange)
    if (!open) return
    const { exchange, link } = open
    if (isProof(output)) link.prove()
    switch (output.kind) {
      case 'register-response':
        return exchange.sendJson(output.response)
      case 'map-response':
        return void this.#sendMap(exchange, output.response)
      case 'open':
        return this.#snapshots.add(output.exchange, link.machineKey)
      case 'refuse':
        return exchange.sendText(output.status, output.text)
      case 'taken':
      case 'end':
        return exchange.end()
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#snapshots.close()
    for (const connection of this.#connections) connection.destroy()
  }

  async #handle(link: Link, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> {
    const path = (headers[':path'] ?? '').split('?', 1)[0] ?? ''
    const method = headers[':method'] ?? ''
    if (!path.startsWith('/machine/')) return turnAway(stream, 404, 'not found')
    const body = await readBody(stream, link.bodies)
    const take = method === 'POST' ? this.#routes[path] : undefined
    const ping = method === 'POST' ? /^\/machine\/c2n\/([0-9a-f]{32})$/.exec(path)?.[1] : undefined
    if (!body) turnAway(stream, 413, 'request too large')
    else if (ping !== undefined) this.#takePong(link, stream, ping)
    else if (take) take(link, stream, body)
    else void this.#answerCall(link, stream, { method, path, body: parseJson(body) })
  }

  readonly #routes: Readonly<
    Record<string, (link: Link, stream: ServerHttp2Stream, body: Uint8Array) => void>
  > = Object.assign(Object.create(null) as object, {
    '/machine/register': (link: Link, stream: ServerHttp2Stream, body: Uint8Array) => {
      const request = decodeJson(body, decodeRegisterRequest)
      if (!request) return new Exchange(stream, false).sendText(400, 'bad register request')
      const { coordinator } = this.#options
      this.#begin(link, stream, false, (id, now) =>
        coordinator.handleRegister(id, link.machineKey, request, now),
      )
    },
    '/machine/map': (link: Link, stream: ServerHttp2Stream, body: Uint8Array) => {
      const request = decodeJson(body, decodeMapRequest)
      if (!request) return new Exchange(stream, false).sendText(400, 'bad map request')
      const { coordinator } = this.#options
      const packed = request.Compress === 'zstd'
      this.#begin(link, stream, packed, (id, now) => coordinator.handleMap(id, link.machineKey, request, now))
    },
  })

  #takePong({ machineKey }: Link, stream: ServerHttp2Stream, id: string): void {
    const { coordinator, now, wake } = this.#options
    const expected = coordinator.handlePong(id, 'c2n', machineKey, now())
    const exchange = new Exchange(stream, false)
    if (expected) exchange.sendJson({})
    else exchange.sendText(404, 'nobody asked')
    wake()
  }

  async #answerCall({ machineKey }: Link, stream: ServerHttp2Stream, call: MachineCall): Promise<void> {
    if (stream.destroyed) return
    const { logger, wake } = this.#options
    const exchange = new Exchange(stream, false)
    try {
      const answer = await answerMachineCall(call, this.#callContext(machineKey))
      if ('json' in answer) exchange.sendJson(answer.json)
      else exchange.sendText(answer.status, answer.text)
    } catch (error) {
      logger.error({ error: error instanceof Error ? error.message : String(error) }, 'a call failed')
      exchange.sendText(503, TRY_AGAIN)
    }
    wake()
  }

  #callContext(machineKey: string): MachineCallContext {
    const { coordinator, logger, now, queue } = this.#options
    return {
      nodeByKey: (nodeKey) => coordinator.nodeOf(machineKey, nodeKey),
      mayNote: (node) => this.#notes.allow(node.id, now()),
      log: (node, text) => logger.info({ node: node.id, text }, 'a node reports'),
      audit: (node, report) => queue().run(() => coordinator.noteReport(node.id, report)),
      whoIs: () => coordinator.whoIs(machineKey),
    }
  }

  #begin(
    link: Link,
    stream: ServerHttp2Stream,
    packed: boolean,
    handle: (exchange: number, now: number) => void,
  ): void {
    // A client that cancelled while its body was read wants nothing any more (control §3.2).
    if (stream.destroyed) return
    const { coordinator, queue, now, wake, logger } = this.#options
    const id = (this.#lastExchange += 1)
    const exchange = new Exchange(stream, packed)
    this.#exchanges.set(id, { exchange, link })
    stream.on('close', () => {
      this.#exchanges.delete(id)
      this.#snapshots.delete(id)
      coordinator.handleGone(id, now())
      wake()
    })
    const work = queue().run((at) => {
      if (!exchange.isGone) handle(id, at)
    })
    work.then(wake, (error: unknown) => {
      logger.error({ error: error instanceof Error ? error.message : String(error) }, 'a request failed')
      exchange.sendText(503, TRY_AGAIN)
      wake()
    })
  }

  #sendMap(exchange: Exchange, response: MapResponse, onWritten?: () => void): number {
    const message = this.#encoder.encode(response, exchange.packed)
    if (!exchange.sendMap(message, onWritten))
      this.#options.logger.warn({}, 'a client stopped reading its map')
    return message.length
  }

  #sendSnapshot(id: number, onWritten: () => void): number {
    const { coordinator, now, wake } = this.#options
    const open = this.#exchanges.get(id)
    const response = open && coordinator.streams.snapshot(id, now())
    if (!response) {
      onWritten()
      return 0
    }
    const bytes = this.#sendMap(open.exchange, response, onWritten)
    wake()
    return bytes
  }
}

/** Only a machine that is in the network gets these; a login that waits or was refused proves nothing. */
function isProof(output: CoordinatorOutput): boolean {
  if (output.kind === 'register-response') return output.response.MachineAuthorized
  return output.kind === 'open' || output.kind === 'map-response' || output.kind === 'taken'
}

/** Calls `run` when nothing held it for a while: a short while until it is extended. */
function idleTimer(run: () => void): Record<'hold' | 'release' | 'extend' | 'stop', () => void> {
  let held = 0
  let timeout = STRANGER_IDLE_TIMEOUT
  let timer = setTimeout(run, timeout).unref()
  return {
    hold: () => {
      held += 1
      clearTimeout(timer)
    },
    release: () => {
      held -= 1
      if (held === 0) timer = setTimeout(run, timeout).unref()
    },
    extend: () => {
      timeout = IDLE_TIMEOUT
    },
    stop: () => clearTimeout(timer),
  }
}
