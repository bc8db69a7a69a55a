/**
 * The thread of one part of a relay: see `serveRelay`. Started by it, and of no use alone.
 *
 * @packageDocumentation
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { nodeCrypto } from '@mesh/noise/node'
import type { ReceiveLimit } from '../allowance.ts'
import type { RelayStats } from '../stats.ts'
import type { CertificatePair } from './certificates.ts'
import { type Admission, createRelay, type RelayServerOptions, type Verdict } from './create-relay.ts'
import type { PageAnswer, PageRequest } from './page.ts'
import { PartServer, type PartServerOptions } from './part-server.ts'
import { PortCalls } from './port-calls.ts'
import type { RelayTls } from './relay-tls.ts'

/** What the thread is told at its start: plain values. */
export interface PartData {
  readonly relay: Omit<RelayServerOptions, 'verifyClient' | 'clock' | 'random' | 'x25519'>
  /** Whether each client is to be asked about. */
  readonly admission: boolean
  readonly server: PartServerOptions
}

/** What the main thread may ask of a part. */
export interface PartCalls {
  /** Resolves when it listens. */
  listen(nothing: undefined): Promise<void>
  /** Resolves when the other part knows who is here. */
  join(port: MessagePort): Promise<void>
  setReceiveLimit(limit: ReceiveLimit | undefined): void
  setTls(tls: RelayTls): void
  setChallenge(certificate: CertificatePair | undefined): void
  stats(nothing: undefined): RelayStats
  drain(within: number): Promise<void>
}

/** What a part may ask of the main thread. */
export interface MainCalls {
  admit(admission: Admission): Promise<Verdict>
  page(request: PageRequest): Promise<PageAnswer>
}

if (parentPort !== null) run(parentPort, workerData as PartData)

function run(port: MessagePort, { relay: told, admission, server: where }: PartData): void {
  let options = where
  const relay = createRelay({
    ...told,
    parts: true,
    x25519: nodeCrypto,
    ...(admission ? { verifyClient: (client: Admission) => main.call('admit', client) } : {}),
  })
  let server: PartServer | undefined
  const ours: PartCalls = {
    async listen() {
      const before = options
      const opened = await PartServer.open(relay, before, (request) => main.call('page', request))
      server = opened
      // What was changed while it was not there yet.
      if (options.tls !== before.tls && options.tls) opened.setTls(options.tls)
      if (options.challenge !== before.challenge) opened.setChallenge(options.challenge)
    },
    join: (part) => relay.joinPart(part),
    setReceiveLimit: (limit) => relay.setReceiveLimit(limit),
    setTls(tls) {
      options = { ...options, tls }
      server?.setTls(tls)
    },
    setChallenge(challenge) {
      options = { ...options, challenge }
      server?.setChallenge(challenge)
    },
    stats: () => server?.statsOf(relay) ?? relay.stats,
    async drain(within) {
      server?.stopListening()
      await relay.drain(within)
      await server?.close()
    },
  }
  const main = new PortCalls<MainCalls>(port, ours)
}
