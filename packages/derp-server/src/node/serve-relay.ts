// A relay that listens by itself, on as many cores as it is given: a part of it in this thread, and one in each worker
// thread, all on the same port. The system shares out the connections; clients cannot tell the parts from one relay.
import { nodeCrypto } from '@mesh/noise/node'
import type { ReceiveLimit } from '../allowance.ts'
import type { RelayStats } from '../stats.ts'
import { sumStats } from '../sum-stats.ts'
import type { CertificatePair } from './certificates.ts'
import {
  type Admission,
  createRelay,
  type RelayServer,
  type RelayServerOptions,
  type Verdict,
} from './create-relay.ts'
import { Crew } from './crew.ts'
import type { AcceptLimit } from './limit-accepts.ts'
import type { PageAnswer, PageRequest } from './page.ts'
import { PartServer, type PartServerOptions } from './part-server.ts'
import { QuotaLedgers } from './quota-ledgers.ts'
import { type RelayTls, relayTls } from './relay-tls.ts'

/** What {@link serveRelay} is told. */
export interface ServeRelayOptions extends Omit<RelayServerOptions, 'parts'> {
  /** The address to listen on; absent or empty means every address of the machine. */
  readonly host?: string
  /** The TCP port; 0 takes a free one. */
  readonly port: number
  /** The certificate for HTTPS; absent, plain HTTP. */
  readonly certificate?: CertificatePair
  /** How many threads relay, this one among them; 1 unless given. More than one needs Linux or FreeBSD 12. */
  readonly workers?: number
  /** How many connections are taken, by all threads together: each takes its share. */
  readonly acceptLimit?: Omit<AcceptLimit, 'clock'>
  /**
   * A client that acknowledges nothing for so many milliseconds has vanished, and its connection ends; 0 unless given, which
   * is as long as the system waits. On Linux with `node:ffi` only.
   */
  readonly userTimeout?: number
  /** Whether to relay at all; `true` unless given. */
  readonly derp?: boolean
  /** Answers requests for what is not the relay's; 404 unless given. Asked in this thread, whichever took the request. */
  readonly page?: (request: PageRequest) => PageAnswer | Promise<PageAnswer>
  /** Is told when a worker thread died, and why. Its clients have to connect again; another one takes its place. */
  readonly onWorkerDeath?: (error: Error) => void
}

/** A relay that listens. */
export interface ServedRelay {
  /** The TCP port. */
  readonly port: number
  /** The part in this thread: siblings of the mesh join it, for all parts. */
  readonly relay: RelayServer
  /** How many threads serve now. */
  readonly workers: number
  /** Returns what all parts have counted together. */
  stats(): Promise<RelayStats>
  /** Changes what one client may send; `undefined` lifts the limit. */
  setReceiveLimit(limit: ReceiveLimit | undefined): void
  /** Uses another certificate for whoever connects from now on. */
  setCertificate(certificate: CertificatePair): void
  /**
   * Presents this certificate to an authority that asks for a proof by TLS-ALPN-01 (RFC 8737), until called with
   * `undefined`.
   */
  setChallenge(certificate: CertificatePair | undefined): Promise<void>
  /** Takes no more connections, sends what is still to be sent, for at most `within` milliseconds, and closes. */
  drain(within: number): Promise<void>
  /** Hangs up on everybody and stops listening. Idempotent. */
  close(): Promise<void>
}

/**
 * Starts a relay with a server of its own. Rejects with the system's error, such as `EADDRINUSE`, when it cannot listen.
 *
 * To mount a relay in a server that is there already, use {@link createRelay} instead.
 */
export async function serveRelay(options: ServeRelayOptions): Promise<ServedRelay> {
  const { workers = 1 } = options
  if (!Number.isInteger(workers) || workers < 1)
    throw new RangeError('workers must be a whole number above 0')
  const served = new Served(options, workers)
  try {
    await served.open()
  } catch (error) {
    await served.close()
    throw error
  }
  return served
}

class Served implements ServedRelay {
  readonly relay: RelayServer
  readonly #options: ServeRelayOptions
  readonly #count: number
  readonly #ledgers = new QuotaLedgers()
  #tls: RelayTls | undefined
  #challenge: CertificatePair | undefined
  #receiveLimit: ReceiveLimit | undefined
  #server: PartServer | undefined
  #crew: Crew | undefined
  #closing: Promise<void> | undefined

  constructor(options: ServeRelayOptions, count: number) {
    this.#options = options
    this.#count = count
    this.#receiveLimit = options.receiveLimit
    const admits = options.verifyClient !== undefined && count > 1
    const shared = admits ? { verifyClient: (client: Admission) => this.#admit(client) } : {}
    this.relay = createRelay({ x25519: nodeCrypto, ...options, ...shared, parts: count > 1 })
    this.#tls = options.certificate && relayTls(options.certificate, this.relay.publicKey)
  }

  get port(): number {
    return this.#server?.port ?? 0
  }

  get workers(): number {
    return 1 + (this.#crew?.size ?? 0)
  }

  async open(): Promise<void> {
    const { verifyClient, onWorkerDeath } = this.#options
    const page = (request: PageRequest): Promise<PageAnswer> => this.#page(request)
    this.#server = await PartServer.open(this.relay, this.#serverOptions(this.#options.port), page)
    if (this.#count === 1) return
    this.#crew = await Crew.start({
      count: this.#count - 1,
      relay: this.relay,
      data: () => ({
        relay: this.#plainOptions(),
        admission: verifyClient !== undefined,
        server: this.#serverOptions(this.port),
      }),
      answers: { admit: (client) => this.#admit(client), page },
      onDeath: (error) => onWorkerDeath?.(error),
    })
  }

  async stats(): Promise<RelayStats> {
    const first = this.#server?.statsOf(this.relay) ?? this.relay.stats
    return this.#crew === undefined ? first : sumStats(first, await this.#crew.stats())
  }

  setReceiveLimit(limit: ReceiveLimit | undefined): void {
    this.#receiveLimit = limit
    this.relay.setReceiveLimit(limit)
    void this.#crew?.ask('setReceiveLimit', limit)
  }

  setCertificate(certificate: CertificatePair): void {
    this.#tls = relayTls(certificate, this.relay.publicKey)
    this.#server?.setTls(this.#tls)
    void this.#crew?.ask('setTls', this.#tls)
  }

  async setChallenge(certificate: CertificatePair | undefined): Promise<void> {
    this.#challenge = certificate
    this.#server?.setChallenge(certificate)
    await this.#crew?.ask('setChallenge', certificate)
  }

  drain(within: number): Promise<void> {
    this.#closing ??= this.#end(within)
    return this.#closing
  }

  close(): Promise<void> {
    return this.drain(0)
  }

  // Others first: what they still have for clients of this part has to come through it.
  async #end(within: number): Promise<void> {
    this.#server?.stopListening()
    await Promise.all([this.relay.drain(within), this.#crew?.close(within)])
    await this.#server?.close()
  }

  /** The threads share the account of an identity. */
  async #admit(client: Admission): Promise<Verdict> {
    return this.#ledgers.shared((await this.#options.verifyClient?.(client)) ?? false)
  }

  async #page(request: PageRequest): Promise<PageAnswer> {
    return (await this.#options.page?.(request)) ?? { status: 404 }
  }

  #serverOptions(port: number): PartServerOptions {
    const { host = '', derp = true, acceptLimit, userTimeout } = this.#options
    return {
      host,
      port,
      derp,
      shared: this.#count > 1,
      userTimeout,
      tls: this.#tls,
      challenge: this.#challenge,
      acceptLimit: acceptLimit && this.#share(acceptLimit),
    }
  }

  #share({ perSecond, burst = perSecond }: Omit<AcceptLimit, 'clock'>): Omit<AcceptLimit, 'clock'> {
    return { perSecond: perSecond / this.#count, burst: burst / this.#count }
  }

  #plainOptions(): Omit<RelayServerOptions, 'verifyClient' | 'clock' | 'random' | 'x25519'> {
    const { privateKey, writeTimeout, tcpKeepAlive, meshKey } = this.#options
    const receiveLimit = this.#receiveLimit
    return {
      privateKey,
      ...(writeTimeout === undefined ? {} : { writeTimeout }),
      ...(tcpKeepAlive === undefined ? {} : { tcpKeepAlive }),
      ...(meshKey === undefined ? {} : { meshKey }),
      ...(receiveLimit === undefined ? {} : { receiveLimit }),
    }
  }
}
