// A control server small enough to read in one go, for the client's own tests: it speaks the real transport (key,
// upgrade, Noise, HTTP/2, zstd) and says whatever a test tells it to. The real server is tested against in e2e.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { formatMachineKey, publicKeyOf } from '@mesh/keys'
import { controlAccept, RecordTransport } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import {
  decodeInitiation,
  decodeJson,
  decodeMapRequest,
  decodeRegisterRequest,
  encodeEarlyPayload,
  encodeJson,
  encodeMapResponse,
  encodeNoiseFrame,
  KEEP_ALIVE_RESPONSE,
  type MapRequest,
  type MapResponse,
  NOISE_FRAME,
  type RegisterRequest,
  type RegisterResponse,
} from '@mesh/wire/control'
import { nodeZstd } from '../../src/node/index.ts'

export interface TestControlOptions {
  host?: string
  port?: number
  privateKey?: Uint8Array
  earlyPayload?: boolean
  onRegister?: (request: RegisterRequest) => Partial<RegisterResponse> | Promise<Partial<RegisterResponse>>
  onMap?: (request: MapRequest) => MapResponse | number
}

export interface TestControl {
  readonly url: string
  readonly port: number
  readonly privateKey: Uint8Array
  readonly registers: RegisterRequest[]
  readonly maps: MapRequest[]
  readonly posts: { path: string; body: Uint8Array }[]
  readonly heads: string[]
  readonly machineKeys: Uint8Array[]
  send(response: MapResponse): void
  keepAlive(): void
  endStreams(): void
  cut(): void
  close(): Promise<void>
}

const WELCOME: RegisterResponse = {
  User: { ID: 1, DisplayName: 'Ann' },
  Login: { ID: 1, Provider: 'test', LoginName: 'ann@example.org', DisplayName: 'Ann' },
  NodeKeyExpired: false,
  MachineAuthorized: true,
  AuthURL: '',
  NodeKeySignature: null,
  Error: '',
}

/** Starts a server on a free port of loopback. */
export async function startTestControl(options: TestControlOptions = {}): Promise<TestControl> {
  const privateKey = options.privateKey ?? systemRandom(32)
  const streams = new Set<ServerHttp2Stream>()
  const sockets = new Set<Socket>()
  const record = {
    registers: [] as RegisterRequest[],
    maps: [] as MapRequest[],
    posts: [] as { path: string; body: Uint8Array }[],
    heads: [] as string[],
    machineKeys: [] as Uint8Array[],
  }
  const inner = createHttp2Server()
  inner.on('sessionError', () => undefined)
  inner.on('stream', (stream, headers) => void answer(stream as ServerHttp2Stream, String(headers[':path'])))

  async function answer(stream: ServerHttp2Stream, path: string): Promise<void> {
    stream.on('error', () => undefined)
    const chunks: Uint8Array[] = []
    for await (const chunk of stream) chunks.push(chunk as Uint8Array)
    const body = Buffer.concat(chunks)
    if (path === '/machine/register') return register(stream, body)
    if (path === '/machine/map') return map(stream, body)
    record.posts.push({ path, body })
    stream.respond({ ':status': 200 })
    stream.end()
  }

  async function register(stream: ServerHttp2Stream, body: Uint8Array): Promise<void> {
    const request = decodeJson(body, decodeRegisterRequest)!
    record.registers.push(request)
    const said = await options.onRegister?.(request)
    if (stream.destroyed) return
    stream.respond({ ':status': 200 })
    stream.end(encodeJson({ ...WELCOME, ...said }))
  }

  function map(stream: ServerHttp2Stream, body: Uint8Array): void {
    const request = decodeJson(body, decodeMapRequest)!
    record.maps.push(request)
    const said = request.Stream ? (options.onMap?.(request) ?? snapshotFor(request)) : 200
    stream.respond({ ':status': typeof said === 'number' ? said : 200 })
    if (typeof said === 'number') return void stream.end(said === 200 ? '' : 'node not found')
    streams.add(stream)
    stream.on('close', () => streams.delete(stream))
    stream.write(encodeMapResponse(said, nodeZstd))
  }

  const outer = createServer((request, response) => {
    if (request.method === 'HEAD') record.heads.push(request.url ?? '')
    if (!request.url?.startsWith('/key?v=')) return void response.writeHead(404).end()
    response.end(JSON.stringify({ publicKey: formatMachineKey(publicKeyOf(privateKey)) }))
  })
  outer.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  outer.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => undefined)
    const frame = decodeInitiation(Buffer.from(String(request.headers['x-tailscale-handshake']), 'base64'))!
    const keys = {
      crypto: nodeCrypto,
      version: frame.version,
      random: systemRandom,
      controlPrivate: privateKey,
    }
    const accepted = controlAccept(keys, frame.message)
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\nConnection: upgrade\r\n\r\n',
    )
    if (accepted === undefined) {
      return void socket.end(encodeNoiseFrame(NOISE_FRAME.error, Buffer.from('decrypting machine key')))
    }
    record.machineKeys.push(accepted.machineKey)
    socket.write(encodeNoiseFrame(NOISE_FRAME.response, accepted.message))
    const transport = new RecordTransport(accepted.session.send, accepted.session.receive)
    if (options.earlyPayload) {
      const bytes = encodeEarlyPayload({ nodeKeyChallenge: `chalpub:${'ab'.repeat(32)}` })
      for (const part of [bytes.subarray(0, 7), bytes.subarray(7, 20), bytes.subarray(20)]) {
        socket.write(transport.seal(part)!)
      }
    }
    inner.emit('connection', sealedStream(socket, transport, head))
  })
  await new Promise<void>((resolve) => outer.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve))
  const { port } = outer.address() as AddressInfo

  return {
    url: `http://${options.host ?? '127.0.0.1'}:${port}`,
    port,
    privateKey,
    ...record,
    send: (response) => {
      for (const stream of streams) stream.write(encodeMapResponse(response, nodeZstd))
    },
    keepAlive: () => {
      for (const stream of streams) stream.write(encodeMapResponse(KEEP_ALIVE_RESPONSE, nodeZstd))
    },
    endStreams: () => {
      for (const stream of streams) stream.end()
    },
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () => closeServer(outer, sockets),
  }
}

function closeServer(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  for (const socket of sockets) socket.destroy()
  return new Promise((resolve) => server.close(() => resolve()))
}

function sealedStream(socket: Socket, transport: RecordTransport, head: Uint8Array): Duplex {
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk: Uint8Array, _encoding, done) => {
      socket.write(transport.seal(chunk)!)
      done()
    },
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  const receive = (chunk: Uint8Array): void => {
    transport.feed(chunk)
    for (let plain = transport.read(); plain !== undefined; plain = transport.read()) duplex.push(plain)
    if (transport.broken) duplex.destroy()
  }
  socket.on('data', receive)
  socket.on('end', () => duplex.push(null))
  socket.on('close', () => duplex.destroy())
  duplex.on('error', () => undefined)
  receive(head)
  return duplex
}

/** A first message for the node that asks: itself and one peer. */
export function snapshotFor(request: MapRequest): MapResponse {
  return {
    Node: {
      ID: 7,
      StableID: 'n7',
      Name: 'a.mesh.example.',
      User: 1,
      Key: request.NodeKey,
      Addresses: ['100.64.0.7/32'],
      MachineAuthorized: true,
    },
    Peers: [
      {
        ID: 8,
        StableID: 'n8',
        Name: 'b.mesh.example.',
        User: 1,
        Key: `nodekey:${'08'.repeat(32)}`,
        DiscoKey: `discokey:${'18'.repeat(32)}`,
        Addresses: ['100.64.0.8/32'],
        Endpoints: ['192.0.2.8:41641'],
        HomeDERP: 900,
        Online: true,
      },
    ],
    DERPMap: { Regions: { 900: { RegionID: 900, RegionCode: 'me', RegionName: 'Mine', Nodes: [] } } },
    Domain: 'mesh.example',
    PacketFilters: { base: [] },
    UserProfiles: [{ ID: 1, LoginName: 'ann@example.org', DisplayName: 'Ann' }],
  }
}
