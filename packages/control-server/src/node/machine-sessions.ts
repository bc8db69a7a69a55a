// HTTP/2 inside Noise: every connection's requests become exchanges of the coordinator, in the name of the machine that
// Noise proved. Paths decide; the authority is whatever the client thinks it is (control §2.6).

import {
  decodeJson,
  decodeMapRequest,
  decodeRegisterRequest,
  MAX_REQUEST_LENGTH,
  parseJson,
} from '@mesh/wire/control'
import type { MapResponse } from '@mesh/wire/control'
import { reasonOf } from '@mesh/sansio/node'
import { Allowance } from '../allowance.ts'
import { TRY_AGAIN } from '../command-queue.ts'
import type { CommandQueue } from '../command-queue.ts'
import type { CoordinatorOutput } from '../coordinator-output.ts'
import type { Coordinator } from '../coordinator.ts'
import { NODE_NOT_FOUND } from '../errors.ts'
import { answerMachineCall } from '../machine-calls.ts'
import type { MachineCall, MachineCallContext } from '../machine-calls.ts'
import type { PingOutcome } from '../pings.ts'
import { placeOf } from '../places.ts'
import type { SshQuestion } from '../ssh-checks.ts'
import type { NoiseConnection } from './accept-noise.ts'
import { lengthOf } from './exchange.ts'
import type { Exchange } from './exchange.ts'
import type { ControlLogger } from './logger.ts'
import { MachineConnection } from './machine-connection.ts'
import type { MachineRequest } from './machine-connection.ts'
import type { MachineLink } from './machine-link.ts'
import type { IdTokens } from './id-tokens.ts'
import { idClaims } from './id-tokens.ts'
import { MapEncoder } from './map-encoder.ts'
import { Repeats } from './repeats.ts'
import { BodyBudget, MAX_CLIENT_ANSWER } from './request-body.ts'
import { Snapshots } from './snapshots.ts'
import { Strangers } from './strangers.ts'

/** What sessions need from the one who owns the coordinator. */
export interface MachineSessionsOptions {
  readonly coordinator: Coordinator
  /** Where requests that may change records go. */
  readonly queue: () => CommandQueue
  readonly now: () => number
  /** Publishes a text of a node in the DNS; `undefined` when nodes have no certificates. */
  readonly publish: ((node: number, name: string, value: string) => Promise<void>) | undefined
  /** Signs tokens by which nodes show who they are. */
  readonly idTokens: IdTokens
  /** Takes how a ping ended. */
  readonly onPong: (outcome: PingOutcome) => void
  readonly wake: () => void
  readonly logger: ControlLogger
}

/** The most lines a minute that a node has written into the log, and texts that it has published. */
const MAX_NOTES = 10

/** An exchange and the connection it came on. */
interface Open {
  readonly exchange: Exchange
  readonly connection: MachineConnection
}

/** All connections of all machines. */
export class MachineSessions {
  readonly #options: MachineSessionsOptions
  readonly #links = new Set<MachineLink>()
  readonly #exchanges = new Map<number, Open>()
  readonly #strangers = new Strangers()
  readonly #notes = new Allowance<number>(MAX_NOTES)
  readonly #publications = new Allowance<number>(MAX_NOTES)
  readonly #bodies = BodyBudget.together()
  readonly #encoder = new MapEncoder()
  readonly #failures = new Repeats((error, times) =>
    this.#options.logger.error({ error, times }, 'a request failed'),
  )
  readonly #snapshots = new Snapshots({
    mayMake: () => !this.#options.queue().isWriting,
    make: (exchange, onWritten) => this.#sendSnapshot(exchange, onWritten),
  })
  #lastExchange = 0

  constructor(options: MachineSessionsOptions) {
    this.#options = options
  }

  /** Serves a connection until either side ends it. */
  serve({ machineKey, address, link }: NoiseConnection): void {
    this.#links.add(link)
    this.#strangers.add(link, this.#placeOf(machineKey, address))
    void new MachineConnection({
      machineKey,
      address,
      link,
      bodies: this.#bodies.connection(),
      onRequest: (request) => this.#handle(request),
      mostOf: (machine, method, path) =>
        this.#awaits(machine, method, path) ? MAX_CLIENT_ANSWER : MAX_REQUEST_LENGTH,
      onTooLong: (machine, method, path) => this.#refusePong(machine, method, path),
      onProven: () => this.#strangers.delete(link),
      onClose: () => {
        this.#links.delete(link)
        this.#strangers.delete(link)
      },
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
    const { exchange, connection } = open
    if (isProof(output)) connection.prove()
    switch (output.kind) {
      case 'register-response':
        return exchange.sendJson(output.response)
      case 'ssh-action':
        return exchange.sendJson(output.action)
      case 'map-response':
        return void this.#sendMap(exchange, output.response)
      case 'open':
        return this.#snapshots.add(output.exchange, connection.machineKey)
      case 'refuse':
        return exchange.sendText(output.status, output.text, output.retryAfter)
      case 'taken':
        return exchange.end()
      case 'end':
        // One that ends before its first frame has to come again: clients take an empty map for a broken one (control §3.2).
        return exchange.hasBegun ? exchange.end() : exchange.sendText(503, TRY_AGAIN)
    }
  }

  /** Ends all connections. */
  close(): void {
    this.#snapshots.close()
    this.#failures.close()
    for (const link of this.#links) link.destroy()
  }

  #handle(request: MachineRequest): void {
    const { method, path } = request
    const take = method === 'POST' ? this.#routes[path] : undefined
    const ping = readPongId(method, path)
    const ssh = method === 'GET' ? readSshQuestion(request) : undefined
    if (ping !== undefined) this.#takePong(request, ping)
    else if (ssh) this.#askSsh(request, ssh)
    else if (take) take(request)
    else void this.#answerCall(request)
  }

  readonly #routes: Readonly<Record<string, (request: MachineRequest) => void>> = Object.assign(
    Object.create(null) as object,
    {
      '/machine/register': (asked: MachineRequest) => {
        const request = decodeJson(asked.body, decodeRegisterRequest)
        if (!request) return asked.exchange.sendText(400, 'bad register request')
        const { coordinator } = this.#options
        const { machineKey, address } = asked.connection
        this.#begin(asked, (id, now) => coordinator.handleRegister(id, machineKey, request, now, address))
      },
      '/machine/map': (asked: MachineRequest) => {
        const request = decodeJson(asked.body, decodeMapRequest)
        if (!request) return asked.exchange.sendText(400, 'bad map request')
        const { coordinator } = this.#options
        const { machineKey } = asked.connection
        asked.exchange.packed = request.Compress === 'zstd'
        this.#begin(asked, (id, now) => coordinator.handleMap(id, machineKey, request, now))
      },
    },
  )

  /**
   * A site may have more nodes than a place may have strangers, and when its way out is back they all come at once: so each
   * of them is a place of its own. It is still a stranger: somebody may play back a handshake of it that they recorded.
   */
  #placeOf(machineKey: string, address: string): string | undefined {
    return this.#options.coordinator.nodes.hasMachine(machineKey) ? machineKey : placeOf(address)
  }

  #askSsh(asked: MachineRequest, question: SshQuestion): void {
    const { machineKey } = asked.connection
    const { coordinator } = this.#options
    this.#begin(asked, (id, now) => coordinator.handleSshQuestion(id, machineKey, question, now))
  }

  #takePong({ connection, exchange, body }: MachineRequest, id: string): void {
    const { coordinator, now, wake } = this.#options
    const expected = coordinator.questions.handlePong(id, 'c2n', connection.machineKey, now(), body)
    if (expected) exchange.sendJson({})
    else exchange.sendText(404, 'nobody asked')
    wake()
  }

  /** Tells whether this is an answer that somebody waits for, of this machine. */
  #awaits(machineKey: string, method: string, path: string): boolean {
    const id = readPongId(method, path)
    return id !== undefined && this.#options.coordinator.questions.awaits(id, machineKey)
  }

  #refusePong(machineKey: string, method: string, path: string): void {
    const { coordinator, now, wake } = this.#options
    const id = readPongId(method, path)
    if (id !== undefined && coordinator.questions.handleLongPong(id, machineKey, now())) wake()
  }

  async #answerCall({ connection, exchange, method, path, body }: MachineRequest): Promise<void> {
    const { wake } = this.#options
    const call: MachineCall = { method, path, body: parseJson(body) }
    try {
      const answer = await answerMachineCall(call, this.#callContext(connection.machineKey))
      if ('json' in answer) exchange.sendJson(answer.json)
      else exchange.sendText(answer.status, answer.text)
    } catch (error) {
      this.#failures.note(reasonOf(error))
      exchange.sendText(503, TRY_AGAIN)
    }
    wake()
  }

  #callContext(machineKey: string): MachineCallContext {
    const { coordinator, logger, now, queue, publish, idTokens } = this.#options
    return {
      nodeByKey: (nodeKey) => coordinator.nodes.ofMachine(machineKey, nodeKey),
      takesPart: ({ nodeKey }) => coordinator.nodes.admits(nodeKey),
      mayNote: (node) => this.#notes.allow(node.id, now()),
      mayPublish: (node) => this.#publications.allow(node.id, now()),
      log: (node, text) => logger.info({ node: node.id, text }, 'a node reports'),
      publish: publish && ((node, name, value) => publish(node.id, name, value)),
      setAttributes: (node, update) =>
        queue().run((at) => coordinator.reports.updateAttributes(node.id, update, at)),
      idToken: (node, audience) => idTokens.sign(idClaims(coordinator.nodes.status(node.id)), audience),
      audit: (node, report) => queue().run(() => coordinator.reports.note(node.id, report)),
      whoIs: () => coordinator.nodes.whoIs(machineKey),
    }
  }

  #begin({ connection, exchange }: MachineRequest, handle: (exchange: number, now: number) => void): void {
    const { coordinator, queue, now, wake } = this.#options
    const id = (this.#lastExchange += 1)
    this.#exchanges.set(id, { exchange, connection })
    exchange.onOver = () => {
      this.#exchanges.delete(id)
      this.#snapshots.delete(id)
      coordinator.handleGone(id, now())
      wake()
    }
    // A client that has cancelled by then wants nothing any more (control §3.2).
    const work = queue().run((at) => {
      if (!exchange.isGone) handle(id, at)
    })
    work.then(wake, (error: unknown) => {
      this.#failures.note(reasonOf(error))
      exchange.sendText(503, TRY_AGAIN)
      wake()
    })
  }

  #sendMap(exchange: Exchange, response: MapResponse, onWritten?: () => void): number {
    const message = this.#encoder.encode(response, exchange.packed)
    if (!exchange.sendMap(message, onWritten))
      this.#options.logger.warn({}, 'a client stopped reading its map')
    return lengthOf(message)
  }

  #sendSnapshot(id: number, onWritten: () => void): number {
    const { coordinator, now, wake } = this.#options
    const open = this.#exchanges.get(id)
    const response = open && coordinator.streams.snapshot(id, now())
    if (!response) {
      open?.exchange.sendText(404, NODE_NOT_FOUND)
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
  return ['open', 'map-response', 'taken', 'ssh-action'].includes(output.kind)
}

/** Reads `/machine/c2n/ID`, or returns `undefined` for another path. */
function readPongId(method: string, path: string): string | undefined {
  return method === 'POST' ? /^\/machine\/c2n\/([0-9a-f]{32})$/.exec(path)?.[1] : undefined
}

/** Reads `/machine/ssh/action/FROM/to/TO?local_user=NAME&auth_id=KEY`, or returns `undefined` for another path. */
function readSshQuestion({ path, query }: MachineRequest): SshQuestion | undefined {
  const [, from, to] = /^\/machine\/ssh\/action\/(\d{1,16})\/to\/(\d{1,16})$/.exec(path) ?? []
  if (from === undefined || to === undefined) return undefined
  const fields = new URLSearchParams(query)
  const localUser = fields.get('local_user') ?? ''
  return { from: Number(from), to: Number(to), localUser, check: fields.get('auth_id') ?? '' }
}
