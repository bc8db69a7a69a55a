// Puts the relay, its STUN answerer and its HTTP servers together, and takes them down again.
import { createServer } from 'node:http'
import type { ReceiveLimit } from '@mesh/derp-server'
import {
  createPageServer,
  debugPage,
  type PageAnswer,
  type PageRequest,
  type RelayServer,
  type ServedRelay,
  serveRelay,
} from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { checkCreatable, createFile, type MakeFile, reasonOf, systemRandom } from '@mesh/sansio/node'
import { admissionOf } from './admission.ts'
import { BootstrapDns } from './bootstrap-dns.ts'
import { type Certificate, type CertificateSource, certificateSource } from './certificate.ts'
import { describe, hostIn } from './describe.ts'
import { Failure, USAGE } from './failure.ts'
import { loadOrCreateKey } from './key-file.ts'
import { cannotListen, listen, openStun, type OpenServer } from './listen.ts'
import { loadMeshKey, meshWith } from './mesh.ts'
import { receiveLimitOf } from './rate-config.ts'
import type { Settings } from './settings.ts'
import { answerPlain, homePage } from './web.ts'

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

/**
 * Reads the files that the settings name, and makes those of the relay's own that are missing, unless the settings are only
 * to be tested. Throws Failure when one is missing or makes no sense.
 */
export function prepare(settings: Settings): Prepared {
  const make = settings.configtest ? checkCreatable : createFile
  const certificates = settings.secure ? certificateSource(settings, make) : undefined
  return {
    certificates,
    certificate: certificates?.load(),
    privateKey: keyFor(settings, make),
    meshKey: settings.meshPskFile === undefined ? undefined : loadMeshKey(settings.meshPskFile),
    receiveLimit: receiveLimitOf(settings),
  }
}

/** Starts serving; `say` is told what happens meanwhile. Throws Failure when something is in the way; then nothing is left listening. */
export async function serve(settings: Settings, say: (line: string) => void): Promise<RunningRelay> {
  const prepared = prepare(settings)
  const dns = new BootstrapDns(settings.bootstrapDnsNames, settings.unpublishedBootstrapDnsNames, say)
  const served = await openRelay(settings, prepared, dns, say)
  const ends: (() => unknown)[] = [() => dns.close()]
  const close = async (): Promise<void> => {
    await served.drain(settings.drainTime)
    await Promise.all(ends.splice(0).map((end) => end()))
  }
  try {
    void dns.start()
    if (prepared.certificate !== undefined && settings.httpPort !== -1) {
      const plain = await listen(createServer(answerPlain), settings.a.host, settings.httpPort)
      ends.push(() => plain.close())
    }
    const stun = settings.stun ? await openStun(settings.a.host, settings.stunPort) : undefined
    ends.push(() => stun?.close())
    const pages = await openPages(settings, served, say)
    ends.push(() => pages?.close())
    ends.push(...joinMesh(settings, served.relay, prepared, say))
    const stopRenewing = prepared.certificates?.keepFresh?.(served, say)
    if (stopRenewing !== undefined) ends.push(stopRenewing)
    const reload = (): void => {
      const next = { limit: receiveLimitOf(settings), certificate: prepared.certificates?.load() }
      served.setReceiveLimit(next.limit)
      if (next.certificate !== undefined) served.setCertificate(next.certificate)
    }
    return { ...describe(settings, served.port, stun?.port, prepared.certificate), close, reload }
  } catch (error) {
    await close()
    throw error
  }
}

async function openRelay(
  settings: Settings,
  { privateKey, meshKey, receiveLimit, certificate }: Prepared,
  dns: BootstrapDns,
  say: (line: string) => void,
): Promise<ServedRelay> {
  const { a, acceptConnectionLimit: perSecond, acceptConnectionBurst: burst, derp, workers } = settings
  const verifyClient = admissionOf(settings)
  try {
    return await serveRelay({
      ...a,
      privateKey,
      derp,
      workers,
      writeTimeout: settings.tcpWriteTimeout,
      tcpKeepAlive: settings.tcpKeepaliveTime,
      userTimeout: settings.tcpUserTimeout,
      acceptLimit: { perSecond, ...(burst === undefined ? {} : { burst }) },
      page: (request) => pageOf(request, settings, dns),
      onWorkerDeath: (error) => say(`a thread died, another takes its place: ${reasonOf(error)}`),
      ...(certificate === undefined ? {} : { certificate }),
      ...(verifyClient === undefined ? {} : { verifyClient }),
      ...(meshKey === undefined ? {} : { meshKey }),
      ...(receiveLimit === undefined ? {} : { receiveLimit }),
    })
  } catch (cause) {
    throw cannotListen('TCP', a.host, a.port, cause)
  }
}

async function openPages(
  { metricsListen: where }: Settings,
  relay: ServedRelay,
  say: (line: string) => void,
): Promise<OpenServer | undefined> {
  if (where === undefined) return undefined
  const server = createPageServer(async (request) => debugPage(request, await relay.stats()))
  const pages = await listen(server, where.host, where.port)
  say(`counters at http://${hostIn(where)}:${pages.port}/metrics`)
  return pages
}

function pageOf(request: PageRequest, settings: Settings, dns: BootstrapDns): PageAnswer {
  if (/^\/bootstrap-dns(\?|$)/.test(request.url)) return dns.answer(request)
  return homePage(settings.home, request)
}

function keyFor(settings: Settings, make: MakeFile): Uint8Array {
  if (settings.c !== undefined) return loadOrCreateKey(settings.c, make)
  if (settings.dev) return generatePrivateKey(systemRandom)
  throw new Failure("Say by -c where the file with the relay's key is or should be, or use --dev.", USAGE)
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
