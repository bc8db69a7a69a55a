// What this server asks the nodes that are connected to it: whether they are there, requests to their clients (c2n), and of
// routers that could stand in for each other, every few seconds, whether they still answer. A question goes out in the
// node's map stream; how it ended is told, or, of a router, put in the records.

import { KEEP_ALIVE_RESPONSE } from '@mesh/wire/control'
import type { Actor } from './audit.ts'
import { nodeSubject } from './audit.ts'
import type { ClientCall } from './client-call.ts'
import { ControlError } from './errors.ts'
import type { MapStreams } from './map-streams.ts'
import type { Network } from './network.ts'
import type { Nodes } from './nodes.ts'
import type { CoordinatorOptions } from './options.ts'
import { Pings } from './pings.ts'
import type { PingKind, PingOutcome, PingQuestion } from './pings.ts'
import type { Presence } from './presence.ts'
import type { NodeRecord } from './records.ts'
import { RouterProbes } from './router-probes.ts'

/** What questions to nodes work with. */
export interface NodeQuestionsOptions extends Pick<CoordinatorOptions, 'random' | 'serverUrl'> {
  /** The network whose nodes are asked. */
  readonly network: Network
  /** Those nodes. */
  readonly nodes: Nodes
  /** The streams in which they are asked. */
  readonly streams: MapStreams
  /** Who is connected elsewhere. */
  readonly presence: Presence
  /** Takes how a question ended that somebody asked. */
  readonly onOutcome: (outcome: PingOutcome) => void
}

/** Asks nodes. */
export class NodeQuestions {
  readonly #options: NodeQuestionsOptions
  readonly #pings: Pings
  readonly #probes = new RouterProbes()

  constructor(options: NodeQuestionsOptions) {
    this.#options = options
    this.#pings = new Pings(options.random, options.serverUrl)
  }

  /** Asks a node whether it is there. Returns the id under which a `pong` tells how that ended. */
  ping(id: number, question: PingQuestion, now: number): string {
    const { nodes, streams } = this.#options
    const node = nodes.known(id)
    if (!streams.listens(id)) throw new ControlError('ERR_CONTROL_NODE_OFFLINE', this.#whyNot(node))
    const asked = this.#pings.ask(node.machineKey, question, now)
    streams.say(id, { PingRequest: asked.request }, now)
    return asked.id
  }

  /** Adds to the audit log that somebody asked a node's client for something. */
  noteCall(nodeId: number, { method = 'GET', path }: ClientCall, actor: Actor): void {
    const { nodes, network } = this.#options
    const node = nodes.known(nodeId)
    network.state.actAs(actor)
    network.state.note({ action: 'call', subject: nodeSubject(node), after: { method, path } })
  }

  /** Takes an answer to a ping. Returns false when nobody waits for it, or it is another machine's to give. */
  handlePong(
    id: string,
    kind: PingKind,
    machineKey: string | undefined,
    now: number,
    answer?: Uint8Array,
  ): boolean {
    const outcome = this.#pings.answer(id, kind, machineKey, now, answer)
    if (outcome) this.#tell(outcome, now)
    return outcome !== undefined
  }

  /** Tells whether an answer to a request is expected of a machine. */
  awaits(id: string, machineKey: string): boolean {
    return this.#pings.awaits(id, machineKey)
  }

  /** Takes that a machine answers a request with more than is taken. Returns false when nobody waits for it. */
  handleLongPong(id: string, machineKey: string, now: number): boolean {
    const outcome = this.#pings.answer(id, 'c2n', machineKey, now)
    if (outcome) this.#tell({ ...outcome, isTooLong: true }, now)
    return outcome !== undefined
  }

  /** Takes which routers could stand in for another, in place of those before. */
  watch(routers: ReadonlySet<number>, now: number): void {
    this.#probes.watch(routers, now)
  }

  /** Notes that what was found of routers may not have been stored, nor questions sent. */
  doubt(): void {
    this.#probes.doubt()
  }

  /** Gives up what was not answered in time, and asks the routers whose turn it is. */
  handleTimeout(now: number): void {
    for (const outcome of this.#pings.due(now)) this.#tell(outcome, now)
    this.#probeRouters(now)
  }

  /** Returns when to call {@link NodeQuestions.handleTimeout}. */
  next(): number {
    return Math.min(this.#pings.next(), this.#probes.next())
  }

  #tell(outcome: PingOutcome, now: number): void {
    if (this.#probes.take(outcome.id, outcome.roundTrip !== undefined, now)) return
    this.#options.onOutcome(outcome)
  }

  /** Each router is asked by the server that it is connected to; what comes of it is in the records, for all of them. */
  #probeRouters(now: number): void {
    const { network, streams } = this.#options
    for (const [id, silent] of this.#probes.takeNews())
      if (network.node(id) && network.node(id)?.silent !== silent) network.updateNode(id, { silent })
    for (const id of this.#probes.due(now)) {
      const node = network.node(id)
      if (!node || !streams.listens(id)) continue
      const { id: question, request } = this.#pings.ask(node.machineKey, { kind: 'c2n' }, now)
      this.#probes.asked(id, question)
      // As a keep-alive, which makes no client work out its map anew.
      streams.say(id, { ...KEEP_ALIVE_RESPONSE, PingRequest: request }, now)
    }
  }

  #whyNot(node: NodeRecord): string {
    return this.#options.presence.isElsewhere(node)
      ? `Node ${node.givenName} is connected to another server, ${node.connectedTo}: ask there.`
      : `Node ${node.givenName} is not connected.`
  }
}
