// The control server over real sockets: one HTTP/1.1 listener for the key, the pages and the upgrade; behind the upgrade
// Noise, and inside it HTTP/2. It decides nothing: the coordinator does.

import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { hostname } from 'node:os'
import { publicKeyOf } from '@mesh/keys'
import type { Crypto } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import type { Actor } from '../audit.ts'
import type { DnsProvider } from '../certificates.ts'
import type { ClientAnswer, ClientCall } from '../client-call.ts'
import { CLIENT_CALL_TIMEOUT, decodeClientAnswer, encodeClientCall } from '../client-call.ts'
import { Coordinator } from '../coordinator.ts'
import { ControlError } from '../errors.ts'
import type { CoordinatorOptions } from '../options.ts'
import type { PingKind, PingOutcome, PingQuestion } from '../pings.ts'
import type { Store } from '../store.ts'
import type { AdminResult } from './admin-answers.ts'
import { adminApi } from './admin-api.ts'
import type { AdminCommand } from './admin-command.ts'
import type { AdminAnswer, AdminQuestion } from './admin-question.ts'
import { answerQuestion } from './admin-question.ts'
import { limitBody } from './body-time.ts'
import { Challenge } from './challenge.ts'
import { clientAddress, proxyTest } from './client-address.ts'
import { type ControlStats, Tally } from './control-stats.ts'
import { Hall } from './hall.ts'
import { hashSecret } from './hash-secret.ts'
import type { Guest } from './guest.ts'
import type { ControlLogger } from './logger.ts'
import { silentLogger } from './logger.ts'
import { loadIdKey, makeIdTokens } from './id-tokens.ts'
import { MachineSessions } from './machine-sessions.ts'
import { claimNetwork } from './network-key.ts'
import { NoiseDoor } from './noise-door.ts'
import { outerRoutes } from './outer-routes.ts'
import { nodeNamed, performAdmin } from './perform-admin.ts'
import { publishChallenges } from './publish-challenges.ts'
import { Steward } from './steward.ts'

/** Time for a stranger to send the headers of a request, milliseconds. */
const HEADERS_TIMEOUT = 10_000
const LIMITS = {
  headersTimeout: HEADERS_TIMEOUT,
  // Bodies have their own time: see `body-time.ts`.
  requestTimeout: 0,
  connectionsCheckingInterval: 2_000,
  maxHeaderSize: 16 << 10,
}
const TLS_LIMITS = { handshakeTimeout: HEADERS_TIMEOUT, minVersion: 'TLSv1.2' } as const
/** The most connections at once. */
const MAX_CONNECTIONS = 16_384

/** Whoever may open the command socket. */
const CLI: Actor = { kind: 'cli', name: '' }

/** A certificate and its private key, PEM. */
export interface ServerCertificate {
  /** The certificate, then those between it and its authority. */
  readonly cert: string
  /** The private key of the first. */
  readonly key: string
}

/** How a control server is started. */
export interface ControlOptions
  extends Omit<
    CoordinatorOptions,
    'serverUrl' | 'wallClock' | 'random' | 'hash' | 'now' | 'records' | 'server' | 'servers'
  > {
  /** Where everything is remembered. */
  readonly store: Store
  /** The name of this server among those that share the store; one made up when left out. */
  readonly server?: string
  /** The address to listen on. */
  readonly host: string
  /** The port to listen on; 0 for any. */
  readonly port: number
  /** The server's private key, 32 bytes: see {@link loadControlKey}. Clients pin its public half. */
  readonly privateKey: Uint8Array
  /** The address clients know the server by; the one it listens on when left out. */
  readonly serverUrl?: string
  /** Speaks TLS with this certificate; plain HTTP when left out. */
  readonly tls?: ServerCertificate
  /** Proxies, by address or prefix, that are believed when they say for whom they ask (`X-Forwarded-For`); none when left out. */
  readonly trustedProxies?: readonly string[]
  /** Something else that lives under the same address, such as a relay. */
  readonly guest?: Guest
  /**
   * Who brings the texts by which nodes get certificates into the DNS, where whoever asks
   * {@link ControlListener.textsAt} does not answer for the domain.
   */
  readonly dnsProvider?: DnsProvider
  /** Takes log lines; nobody when left out. */
  readonly logger?: ControlLogger
  /** The primitives of Noise; node:crypto's when left out. */
  readonly crypto?: Crypto
}

/** A running control server. */
export interface ControlListener {
  /** Where it listens, as `http://host:port`, or `https` with a certificate. */
  readonly url: string
  /** The address clients are told, without a trailing slash. */
  readonly serverUrl: string
  /**
   * Does an administrator's command. Resolves when what it changed is stored; connected clients hear of it at once.
   * Rejects with `ControlError`.
   *
   * @param actor - Who gave it, for the audit log; the command line when left out.
   */
  admin<C extends AdminCommand>(command: C, actor?: Actor): Promise<AdminResult<C>>
  /** Answers an administrator's question. Rejects with `ControlError`. */
  ask<Q extends AdminQuestion>(question: Q, actor?: Actor): Promise<AdminAnswer<Q>>
  /**
   * Asks a node whether it is there. Resolves with the milliseconds it took, or `undefined` when it did not answer in
   * time. Rejects with `ControlError` when it is unknown or not connected.
   *
   * @param node - Its number, name or address.
   */
  ping(node: string, kind: PingKind): Promise<number | undefined>
  /**
   * Has a node's client do a request of its own handlers. Resolves with `undefined` when no answer came in time, or none
   * that can be read. Rejects with `ControlError` when the node is unknown or not connected.
   */
  call(node: string, call: ClientCall, actor?: Actor): Promise<ClientAnswer | undefined>
  /** Returns the texts that nodes publish at a name of the DNS, in lower case and without a dot at its end. */
  textsAt(name: string): readonly string[]
  /** Tells whether a relay should serve this node key: that of a node whose login has not expired. */
  admits(nodeKey: string): boolean
  /** Returns how the network stands, and what this server did since it began. */
  stats(): ControlStats
  /** Takes a renewed certificate; connections there are go on. Throws when it was started without one. */
  renewCertificate(certificate: ServerCertificate): void
  /**
   * Presents this certificate to an authority that asks for a proof by tls-alpn-01 (RFC 8737), until called with
   * `undefined`.
   */
  setChallenge(certificate: ServerCertificate | undefined): void
  /** Ends all connections and lets go of the port. The store stays open: it is the caller's. */
  close(): Promise<void>
}

/**
 * Starts a control server.
 *
 * @throws ControlError `ERR_CONTROL_CONFIG` for options that cannot work, or a key that is not that of the network, and the system's error when the address cannot
 * be listened on.
 */
export async function listenControl(options: ControlOptions): Promise<ControlListener> {
  const {
    host,
    port,
    privateKey,
    logger = silentLogger,
    crypto = nodeCrypto,
    tls,
    guest,
    trustedProxies = [],
    ...rest
  } = options
  const addressOf = clientAddress(trustedProxies)
  const hall = new Hall(proxyTest(trustedProxies))
  const challenge = new Challenge()
  const secure = tls && createTlsServer({ ...LIMITS, ...tls, ...TLS_LIMITS, ...challenge.options })
  const server = secure ?? createServer(LIMITS)
  server.maxConnections = MAX_CONNECTIONS
  const { store } = options
  await claimNetwork(store, privateKey)
  const name = options.server ?? nameServer()
  const { servers } = await store.attend(name)
  const records = await store.since(0)
  const idKey = await loadIdKey(privateKey)
  // From here on nothing is waited for until every request that may come has somebody who answers it.
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  const url = urlOf(secure ? 'https' : 'http', host, (server.address() as AddressInfo).port)
  const serverUrl = (options.serverUrl ?? url).replace(/\/+$/, '')
  let coordinator: Coordinator
  try {
    const system = { wallClock: Date.now, random: systemRandom, hash: hashSecret, now: systemClock.now() }
    coordinator = new Coordinator({ ...rest, ...system, serverUrl, records, server: name, servers })
  } catch (error) {
    server.close()
    throw error
  }
  const now = (): number => systemClock.now()
  const wake = (): void => steward.wake()
  const waiting = new Map<string, (outcome: PingOutcome) => void>()
  const onPong = (outcome: PingOutcome): void => waiting.get(outcome.id)?.(outcome)
  const idTokens = makeIdTokens(idKey, serverUrl)
  const provider = options.dnsProvider
  const publishing = { coordinator, queue: () => steward.queue, logger, provider }
  const publish = options.certificates ? publishChallenges(publishing) : undefined
  const sessions = new MachineSessions({
    coordinator,
    publish,
    idTokens,
    now,
    wake,
    logger,
    onPong,
    queue: () => steward.queue,
  })
  const tally = new Tally()
  const steward = new Steward({
    coordinator,
    store,
    server: name,
    logger,
    clock: systemClock,
    perform: (output) => {
      tally.note(output)
      sessions.perform(output)
    },
  })
  const door = new NoiseDoor({
    responder: { privateKey, crypto, random: systemRandom },
    addressOf,
    onConnection: (connection) => sessions.serve(connection),
  })
  const takeHead = (id: string): boolean => {
    const expected = coordinator.questions.handlePong(id, 'head', undefined, now())
    wake()
    return expected
  }
  const admin = async <C extends AdminCommand>(
    command: C,
    actor = CLI,
    before: () => void = () => undefined,
  ): Promise<AdminResult<C>> => {
    try {
      return await steward.queue.run((at) => {
        before()
        return performAdmin(coordinator, command, actor, at)
      })
    } finally {
      wake()
    }
  }
  const inquire = async (node: string, question: PingQuestion): Promise<PingOutcome> => {
    const id = coordinator.questions.ping(nodeNamed(coordinator, node).node.id, question, now())
    const outcome = await new Promise<PingOutcome>((resolve) => {
      waiting.set(id, resolve)
      wake()
    })
    waiting.delete(id)
    return outcome
  }
  const ping: ControlListener['ping'] = async (node, kind) => (await inquire(node, { kind })).roundTrip
  const call: ControlListener['call'] = async (node, what, actor = CLI) => {
    const payload = encodeClientCall(what)
    const { id } = nodeNamed(coordinator, node).node
    await steward.queue.run(() => coordinator.questions.noteCall(id, what, actor))
    const question = { kind: 'c2n', payload, timeout: CLIENT_CALL_TIMEOUT } as const
    const { answer, isTooLong } = await inquire(node, question)
    if (isTooLong)
      throw new ControlError('ERR_CONTROL_CALL', `The client answers ${what.path} with more than 4 MiB.`)
    return answer && decodeClientAnswer(answer)
  }
  const ask = async <Q extends AdminQuestion>(
    question: Q,
    actor = CLI,
    before?: () => void,
  ): Promise<AdminAnswer<Q>> => {
    if (before) await steward.queue.run(before).finally(wake)
    return answerQuestion(
      { ping, call: (node, what) => call(node, what, actor), audit: (query) => store.audit(query) },
      question,
    )
  }
  const api = adminApi({ coordinator, admin, ask })
  const routes = outerRoutes({
    coordinator,
    publicKey: publicKeyOf(privateKey),
    documents: idTokens.documents,
    onPong: takeHead,
  })
  server.on('connection', (socket) => hall.receive(socket))
  server.on('request', (request, response) => {
    if (api(request, response)) return
    limitBody(request)
    if (!guest?.handleRequest(request, response)) routes(request, response)
  })
  server.on('upgrade', (request, socket, head) => {
    hall.release(socket as Socket)
    if (!guest?.handleUpgrade(request, socket, head)) door.handleUpgrade(request, socket as Socket, head)
  })
  return {
    url,
    serverUrl,
    admin: (command, actor) => admin(command, actor),
    ask: (question, actor) => ask(question, actor),
    ping,
    call,
    textsAt: (domain) => coordinator.challenges.textsAt(domain),
    admits: (nodeKey) => coordinator.nodes.admits(nodeKey),
    stats: () => tally.stats(coordinator),
    renewCertificate(certificate) {
      if (!secure) throw new TypeError('the server speaks no TLS')
      secure.setSecureContext({ ...certificate, minVersion: TLS_LIMITS.minVersion })
    },
    setChallenge: (certificate) => challenge.set(certificate),
    async close() {
      for (const [id, resolve] of waiting) resolve({ id, roundTrip: undefined })
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      door.close()
      sessions.close()
      server.closeAllConnections()
      await closed
      await steward.close()
    },
  }
}

/** A name that no other server has, and that people can tell it by. */
function nameServer(): string {
  return `${hostname()}-${Buffer.from(systemRandom(4)).toString('hex')}`
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
