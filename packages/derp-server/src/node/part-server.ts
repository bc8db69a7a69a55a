// The HTTP or HTTPS server of one part of a relay.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createSecureContext, type SecureContext, type TlsOptions, type TLSSocket } from 'node:tls'
import type { RelayStats } from '../stats.ts'
import type { CertificatePair } from './certificates.ts'
import type { RelayServer } from './create-relay.ts'
import { type AcceptCounter, type AcceptLimit, limitAccepts } from './limit-accepts.ts'
import { answerPage, type PageSource } from './page.ts'
import { refuseUpgrade } from './refuse-upgrade.ts'
import type { RelayTls } from './relay-tls.ts'
import { setUserTimeout } from './user-timeout.ts'

/** How long a request and its headers may take; upgraded connections are not concerned. */
const REQUEST_TIMEOUT = 30_000
const HEADERS_TIMEOUT = 10_000

/** How often Node looks for those that take longer. */
const TIMEOUT_CHECK = 5_000

/** How many bytes of headers are taken from anybody: real clients send a few hundred. */
export const MAX_HEADER_LENGTH = 8_192

const LIMITS = { connectionsCheckingInterval: TIMEOUT_CHECK, maxHeaderSize: MAX_HEADER_LENGTH } as const

/** What a {@link PartServer} is told: plain values. */
export interface PartServerOptions {
  /** The address to listen on; empty means every address of the machine. */
  readonly host: string
  readonly port: number
  /** Whether other threads listen on the same port. */
  readonly shared: boolean
  /** TLS; absent, plain HTTP. */
  readonly tls?: RelayTls | undefined
  /** What is presented to who asks for a proof alone: see {@link PartServer.setChallenge}. */
  readonly challenge?: CertificatePair | undefined
  readonly acceptLimit?: Omit<AcceptLimit, 'clock'> | undefined
  /** Whether to relay at all; without it, upgrades get 404. */
  readonly derp: boolean
  /** How long TCP waits for an acknowledgement, in milliseconds; absent or 0, as long as the system does. */
  readonly userTimeout?: number | undefined
}

/** A relay that listens. */
export class PartServer {
  readonly port: number
  readonly #accepts: AcceptCounter
  readonly #server: Server
  readonly #sockets: ReadonlySet<Socket>
  readonly #proof: Proof
  #closing: Promise<unknown> | undefined

  private constructor(server: Server, accepts: AcceptCounter, sockets: ReadonlySet<Socket>, proof: Proof) {
    this.#server = server
    this.#accepts = accepts
    this.#sockets = sockets
    this.#proof = proof
    this.port = (server.address() as AddressInfo).port
  }

  /** Listens. Rejects with the system's error, such as `EADDRINUSE`. */
  static async open(relay: RelayServer, options: PartServerOptions, pages: PageSource): Promise<PartServer> {
    const { tls, host, port } = options
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (!relay.handleRequest(request, response)) void answerPage(pages, request, response)
    }
    const proof: Proof = { context: options.challenge && createSecureContext(options.challenge) }
    const server =
      tls === undefined
        ? createServer(LIMITS, answer)
        : createTlsServer({ ...LIMITS, ...serverTls(tls, proof) }, answer)
    server.requestTimeout = REQUEST_TIMEOUT
    server.headersTimeout = HEADERS_TIMEOUT
    server.on('upgrade', (request, socket, head) => {
      if (options.derp) return relay.handleUpgrade(request, socket, head)
      refuseUpgrade(socket, '404 Not Found', 'This relay answers STUN only')
    })
    const sockets = trackSockets(server)
    const accepts = limitAccepts(server, options.acceptLimit ?? { perSecond: Infinity })
    // The system shares out connections among those that listen with the same port.
    const address = host === '' ? { port } : { port, host }
    server.listen({ ...address, reusePort: options.shared })
    await once(server, 'listening')
    if (options.userTimeout) setUserTimeout(server, options.userTimeout)
    return new PartServer(server, accepts, sockets, proof)
  }

  /** Returns a relay's counters, with the connections that were not even let in. */
  statsOf({ stats }: RelayServer): RelayStats {
    const { refused } = this.#accepts
    return refused === 0 ? stats : { ...stats, closed: { ...stats.closed, 'accept-limit': refused } }
  }

  /** Uses another certificate for handshakes from now on. */
  setTls(tls: RelayTls): void {
    if ('setSecureContext' in this.#server) (this.#server as TlsServer).setSecureContext(tls)
  }

  /** Takes no more connections; those that are there go on. */
  stopListening(): void {
    this.#closing ??= once(this.#server, 'close')
    this.#server.close()
  }

  /** Presents this certificate to who asks for nothing but a proof that the name is this relay's; nothing ends that. */
  setChallenge(certificate: CertificatePair | undefined): void {
    this.#proof.context = certificate && createSecureContext(certificate)
  }

  /** Hangs up on everybody, also on those that never got as far as a request. Idempotent. */
  async close(): Promise<void> {
    this.stopListening()
    for (const socket of this.#sockets) socket.destroy()
    await this.#closing
  }
}

interface Proof {
  context: SecureContext | undefined
}

/** The protocol in which authorities ask for proof (RFC 8737 section 6.2). */
const ACME_TLS = 'acme-tls/1'

function serverTls({ ALPNProtocols, ...tls }: RelayTls, proof: Proof): TlsOptions {
  return {
    ...tls,
    ALPNCallback(this: TLSSocket, { protocols }) {
      if (proof.context !== undefined && protocols.length === 1 && protocols[0] === ACME_TLS) {
        this.setKeyCert(proof.context)
        return ACME_TLS
      }
      return protocols.find((protocol) => ALPNProtocols.includes(protocol))
    },
  }
}

// One listener for all: thousands of idle clients should not cost a closure each.
function trackSockets(server: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  function forget(this: Socket): void {
    sockets.delete(this)
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', forget)
  })
  return sockets
}
