// Puts the relay, its STUN answerer and its HTTP servers together, and takes them down again.
import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, isIP } from 'node:net'
import { dirname } from 'node:path'
import {
  createRelay,
  limitAccepts,
  listenStun,
  metaCertificate,
  type RelayServer,
  type StunListener,
  refuseUpgrade,
} from '@mesh/derp-server/node'
import { generatePrivateKey } from '@mesh/keys'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { admissionOf } from './admission.ts'
import { type Certificate, manualCertificate, ownCertificate } from './certificate.ts'
import { Failure, reasonOf, systemCodeOf, USAGE } from './failure.ts'
import { loadOrCreateKey } from './key-file.ts'
import { loadMeshKey, meshWith } from './mesh.ts'
import { receiveLimitOf } from './rate-config.ts'
import type { Settings } from './settings.ts'
import { answerHome, answerPlain } from './web.ts'

/** TLS handshakes and slow requests are given up after so long; upgraded connections are not concerned. */
const REQUEST_TIMEOUT = 30_000
const HEADERS_TIMEOUT = 10_000

/** A relay that serves. */
export interface RunningRelay {
  /** One line that says where: for people and for programs that wait for it. */
  readonly ready: string
  /** The region to put into the DERP map so that clients find this relay. */
  readonly region: object
  /** Reads the rate limit again. Throws Failure, and keeps the old one, when it makes no sense. */
  reload(): void
  /** Hangs up on everybody and stops listening. Idempotent. */
  close(): Promise<void>
}

/** Starts serving; `say` is told what happens meanwhile. Throws Failure when something is in the way; then nothing is left listening. */
export async function serve(settings: Settings, say: (line: string) => void): Promise<RunningRelay> {
  const certificate = certificateFor(settings)
  const privateKey = keyFor(settings)
  const verifyClient = admissionOf(settings)
  const meshKey = settings.meshPskFile === undefined ? undefined : loadMeshKey(settings.meshPskFile)
  const receiveLimit = receiveLimitOf(settings)
  const relay = createRelay({
    privateKey,
    writeTimeout: settings.tcpWriteTimeout,
    debug: true,
    x25519: nodeCrypto,
    ...(verifyClient === undefined ? {} : { verifyClient }),
    ...(meshKey === undefined ? {} : { meshKey }),
    ...(receiveLimit === undefined ? {} : { receiveLimit }),
  })
  const reload = (): void => relay.setReceiveLimit(receiveLimitOf(settings))
  const opened: { close(): Promise<void> }[] = [{ close: async () => relay.close() }]
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((each) => each.close()))
  }
  try {
    const server = await openServer(settings, relay, certificate)
    opened.push(server)
    if (certificate !== undefined && settings.httpPort !== -1) opened.push(await openPlainServer(settings))
    const stun = settings.stun ? await openStun(settings) : undefined
    if (stun !== undefined) opened.push(stun)
    for (const address of meshKey === undefined ? [] : settings.meshWith) {
      const plain = certificate === undefined
      const end = meshWith(address, { relay, privateKey, meshKey: meshKey!, plain, say })
      opened.push({ close: async () => end() })
    }
    return { ...describe(settings, server, stun, certificate), close, reload }
  } catch (error) {
    await close()
    throw error
  }
}

function keyFor(settings: Settings): Uint8Array {
  if (settings.c !== undefined) return loadOrCreateKey(settings.c)
  if (settings.dev) return generatePrivateKey(systemRandom)
  throw new Failure("Say by -c where the file with the relay's key is or should be, or use --dev.", USAGE)
}

function certificateFor(settings: Settings): Certificate | undefined {
  const directory = settings.certdir ?? (settings.c === undefined ? undefined : dirname(settings.c))
  const hostname = hostnameOf(settings)
  switch (settings.certmode) {
    case 'manual':
      if (directory === undefined) throw new Failure('Say by --certdir where the certificate is.', USAGE)
      return manualCertificate(hostname, directory)
    case 'self-signed':
      return ownCertificate(hostname, directory)
    case 'letsencrypt':
      if (settings.a.port !== 443) return undefined
      throw new Failure(
        "Let's Encrypt certificates are not available yet: use --certmode manual or self-signed, or a port other than 443 for plain HTTP.",
        USAGE,
      )
  }
}

function hostnameOf({ hostname, a }: Settings): string {
  if (hostname !== undefined) return hostname
  return a.host === '' || a.host === '0.0.0.0' || a.host === '::' ? 'localhost' : a.host
}

interface OpenServer {
  readonly port: number
  close(): Promise<void>
}

async function openServer(
  settings: Settings,
  relay: RelayServer,
  certificate?: Certificate,
): Promise<OpenServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    if (relay.handleRequest(request, response)) return
    answerHome(settings.home, request, response)
  }
  const server =
    certificate === undefined ? createServer(answer) : createTls(certificate, relay.publicKey, answer)
  server.on('upgrade', (request, socket, head) => {
    if (settings.derp) return relay.handleUpgrade(request, socket, head)
    refuseUpgrade(socket, '404 Not Found', 'This relay answers STUN only')
  })
  const { acceptConnectionLimit: perSecond, acceptConnectionBurst: burst } = settings
  limitAccepts(server, { perSecond, ...(burst === undefined ? {} : { burst }) })
  return listen(server, settings.a.host, settings.a.port)
}

function createTls(certificate: Certificate, publicKey: Uint8Array, answer: RequestListener): Server {
  return createTlsServer(
    {
      // The relay's key rides along as the last certificate, so that clients may skip a round trip (§2.2).
      cert: certificate.cert + metaCertificate(publicKey),
      key: certificate.key,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: REQUEST_TIMEOUT,
    },
    answer,
  )
}

function openPlainServer(settings: Settings): Promise<OpenServer> {
  return listen(createServer(answerPlain), settings.a.host, settings.httpPort)
}

async function listen(server: Server, host: string, port: number): Promise<OpenServer> {
  server.requestTimeout = REQUEST_TIMEOUT
  server.headersTimeout = HEADERS_TIMEOUT
  try {
    server.listen(host === '' ? { port } : { port, host })
    await once(server, 'listening')
  } catch (cause) {
    throw cannotListen('TCP', host, port, cause)
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function openStun(settings: Settings): Promise<StunListener> {
  try {
    return await listenStun({ port: settings.stunPort, address: settings.a.host })
  } catch (cause) {
    throw cannotListen('UDP', settings.a.host, settings.stunPort, cause)
  }
}

function cannotListen(transport: string, host: string, port: number, cause: unknown): Failure {
  const where = `${transport} port ${port}${host === '' ? '' : ` of ${host}`}`
  switch (systemCodeOf(cause)) {
    case 'EADDRINUSE':
      return new Failure(`${where} is in use by another program.`, undefined, { cause })
    case 'EACCES':
      return new Failure(`Listening on ${where} is not permitted.`, undefined, { cause })
    default:
      return new Failure(`Listening on ${where} failed: ${reasonOf(cause)}.`, undefined, { cause })
  }
}

function describe(
  settings: Settings,
  server: OpenServer,
  stun: StunListener | undefined,
  certificate: Certificate | undefined,
): { ready: string; region: object } {
  const host = settings.a.host === '' ? '[::]' : bracketed(settings.a.host)
  const url = `${certificate === undefined ? 'http' : 'https'}://${host}:${server.port}`
  const ready = `mesh-relay listening on ${url}, ${stun === undefined ? 'no STUN' : `STUN on udp/${stun.port}`}`
  const { regionId, regionCode } = settings
  const node = {
    Name: `${regionId}a`,
    RegionID: regionId,
    HostName: hostnameOf(settings),
    DERPPort: server.port,
    STUNPort: stun?.port ?? -1,
    ...(certificate?.pin === undefined ? {} : { CertName: certificate.pin }),
    ...(certificate === undefined ? { InsecureForTests: true } : {}),
  }
  return {
    ready,
    region: { RegionID: regionId, RegionCode: regionCode, RegionName: regionCode, Nodes: [node] },
  }
}

function bracketed(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host
}
