// Puts the relay, its STUN answerer and its HTTP servers together, and takes them down again.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { ReceiveLimit } from '@mesh/derp-server'
import { createRelay, limitAccepts, type RelayServer, refuseUpgrade } from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { admissionOf } from './admission.ts'
import { BootstrapDns } from './bootstrap-dns.ts'
import { type Certificate, type CertificateSource, certificateSource } from './certificate.ts'
import { describe } from './describe.ts'
import { Failure, USAGE } from './failure.ts'
import { loadOrCreateKey } from './key-file.ts'
import { listen, type OpenServer, openStun } from './listen.ts'
import { loadMeshKey, meshWith } from './mesh.ts'
import { receiveLimitOf } from './rate-config.ts'
import type { Settings } from './settings.ts'
import { createTlsServer, type TlsServer } from './tls-server.ts'
import { answerHome, answerPlain } from './web.ts'

/** A relay that serves. */
export interface RunningRelay {
  /** One line that says where: for people and for programs that wait for it. */
  readonly ready: string
  /** The region to put into the DERP map so that clients find this relay. */
  readonly region: object
  /** Reads the certificate and the rate limit again. Throws Failure, and keeps the old ones, when they make no sense. */
  reload(): void
  /** Lets nobody in any more, sends what is held, hangs up on everybody, and stops listening. Idempotent. */
  close(): Promise<void>
}

/** What the settings and the files they name come to, before anything listens. */
export interface Prepared {
  readonly privateKey: Uint8Array
  readonly meshKey: Uint8Array | undefined
  readonly receiveLimit: ReceiveLimit | undefined
  readonly certificates: CertificateSource | undefined
  readonly certificate: Certificate | undefined
}

/** Reads the files that the settings name. Throws Failure when one is missing or makes no sense. */
export function prepare(settings: Settings): Prepared {
  const certificates = settings.secure ? certificateSource(settings) : undefined
  return {
    certificates,
    certificate: certificates?.load(),
    privateKey: keyFor(settings),
    meshKey: settings.meshPskFile === undefined ? undefined : loadMeshKey(settings.meshPskFile),
    receiveLimit: receiveLimitOf(settings),
  }
}

/** Starts serving; `say` is told what happens meanwhile. Throws Failure when something is in the way; then nothing is left listening. */
export async function serve(settings: Settings, say: (line: string) => void): Promise<RunningRelay> {
  const prepared = prepare(settings)
  const relay = relayFor(settings, prepared)
  const ends: (() => unknown)[] = []
  const listening: OpenServer[] = []
  const close = async (): Promise<void> => {
    for (const server of listening) server.stopListening()
    await relay.drain(settings.drainTime)
    for (const end of ends.splice(0)) end()
    await Promise.all(listening.splice(0).map((server) => server.close()))
  }
  try {
    const dns = new BootstrapDns(settings.bootstrapDnsNames, settings.unpublishedBootstrapDnsNames, say)
    ends.push(() => dns.close())
    void dns.start()
    const { server, tls } = serverFor(settings, relay, dns, prepared.certificate)
    const open = await listen(server, settings.a.host, settings.a.port)
    listening.push(open)
    if (tls !== undefined && settings.httpPort !== -1)
      listening.push(await listen(createServer(answerPlain), settings.a.host, settings.httpPort))
    const stun = settings.stun ? await openStun(settings.a.host, settings.stunPort) : undefined
    ends.push(() => stun?.close())
    ends.push(...joinMesh(settings, relay, prepared, say))
    const stopRenewing = tls && prepared.certificates?.keepFresh?.(tls, say)
    if (stopRenewing !== undefined) ends.push(stopRenewing)
    const reload = (): void => {
      const next = { limit: receiveLimitOf(settings), certificate: prepared.certificates?.load() }
      relay.setReceiveLimit(next.limit)
      if (next.certificate !== undefined) tls?.present(next.certificate)
    }
    return { ...describe(settings, open.port, stun?.port, prepared.certificate), close, reload }
  } catch (error) {
    await close()
    throw error
  }
}

function relayFor(settings: Settings, { privateKey, meshKey, receiveLimit }: Prepared): RelayServer {
  const verifyClient = admissionOf(settings)
  return createRelay({
    privateKey,
    writeTimeout: settings.tcpWriteTimeout,
    debug: true,
    x25519: nodeCrypto,
    ...(verifyClient === undefined ? {} : { verifyClient }),
    ...(meshKey === undefined ? {} : { meshKey }),
    ...(receiveLimit === undefined ? {} : { receiveLimit }),
  })
}

function keyFor(settings: Settings): Uint8Array {
  if (settings.c !== undefined) return loadOrCreateKey(settings.c)
  if (settings.dev) return generatePrivateKey(systemRandom)
  throw new Failure("Say by -c where the file with the relay's key is or should be, or use --dev.", USAGE)
}

function serverFor(
  settings: Settings,
  relay: RelayServer,
  dns: BootstrapDns,
  certificate: Certificate | undefined,
): { server: Server; tls: TlsServer | undefined } {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (relay.handleRequest(request, response)) return
    if (/^\/bootstrap-dns(\?|$)/.test(request.url ?? '')) return dns.answer(request, response)
    answerHome(settings.home, request, response)
  }
  const tls = certificate && createTlsServer(certificate, relay.publicKey, answer)
  const server = tls?.server ?? createServer(answer)
  server.on('upgrade', (request, socket, head) => {
    if (settings.derp) return relay.handleUpgrade(request, socket, head)
    refuseUpgrade(socket, '404 Not Found', 'This relay answers STUN only')
  })
  const { acceptConnectionLimit: perSecond, acceptConnectionBurst: burst } = settings
  limitAccepts(server, { perSecond, ...(burst === undefined ? {} : { burst }) })
  return { server, tls }
}

function joinMesh(
  settings: Settings,
  relay: RelayServer,
  { privateKey, meshKey, certificate }: Prepared,
  say: (line: string) => void,
): (() => void)[] {
  if (meshKey === undefined) return []
  const plain = certificate === undefined
  return settings.meshWith.map((address) => meshWith(address, { relay, privateKey, meshKey, plain, say }))
}
