// A node that only talks to control, and costs little enough that thousands fit in one process: Noise, a little HTTP/2,
// and the frames of its map. It knows nothing of whose control server it is.

import { connect, type Socket } from 'node:net'
import { formatMachineKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { controlInitiate, RecordTransport } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { loadWasmCrypto } from '@mesh/wireguard/wasm'
import {
  CAPABILITY_VERSION,
  EarlyPayloadReader,
  encodeInitiation,
  MapFrameReader,
  type RegisterResponse,
  RESPONSE_LENGTH,
} from '@mesh/wire/control'
import { TinyHttp2 } from './tiny-http2.ts'

/** Where a control server is, and the key it shows. */
export interface ControlAddress {
  readonly host: string
  readonly port: number
  readonly key: Uint8Array
}

const MESSAGE_LIMIT = 64 << 20
const wasm = loadWasmCrypto(nodeCrypto)
/** The load must not be what limits. */
const crypto = wasm.kind === 'loaded' ? wasm.crypto : nodeCrypto

/** One node. */
export class LightClient {
  readonly machineKey: string
  readonly nodeKey = `nodekey:${hex()}`
  readonly discoKey = `discokey:${hex()}`
  readonly hostname: string
  /** How its maps are to be packed: `zstd`, or not at all. */
  compress: 'zstd' | '' = 'zstd'
  /** Is given each message of the map stream as it came; it is good until this returns. */
  onMap: (message: Uint8Array) => void = () => undefined
  /** Is told that the connection is gone. */
  onGone: () => void = () => undefined
  readonly #machinePrivate = generatePrivateKey(systemRandom)
  #socket: Socket | undefined
  #http: TinyHttp2 | undefined

  constructor(hostname: string) {
    this.hostname = hostname
    this.machineKey = formatMachineKey(publicKeyOf(this.#machinePrivate))
  }

  /** Whether it has a connection. */
  get isConnected(): boolean {
    return this.#http !== undefined
  }

  /** Connects and shakes hands. */
  async connect({ host, port, key }: ControlAddress): Promise<void> {
    const initiation = controlInitiate({
      crypto,
      random: systemRandom,
      version: CAPABILITY_VERSION,
      machinePrivate: this.#machinePrivate,
      controlPublic: key,
    })
    if (!initiation) throw new Error('the server shows a bad key')
    const handshake = Buffer.from(encodeInitiation(CAPABILITY_VERSION, initiation.message)).toString('base64')
    const { socket, rest } = await upgrade(host, port, handshake)
    const session = initiation.readResponse(new Uint8Array(rest.subarray(3, RESPONSE_LENGTH)))
    if (!session) throw new Error('the server answers badly')
    this.#run(socket, new RecordTransport(session.send, session.receive), rest.subarray(RESPONSE_LENGTH))
  }

  /** Registers. Rejects when the connection breaks. */
  async register(authKey?: string): Promise<RegisterResponse> {
    const { status, body } = await this.#post('/machine/register', {
      Version: CAPABILITY_VERSION,
      NodeKey: this.nodeKey,
      OldNodeKey: `nodekey:${'0'.repeat(64)}`,
      Expiry: '0001-01-01T00:00:00Z',
      Followup: '',
      Hostinfo: { Hostname: this.hostname, OS: 'linux', BackendLogID: '0'.repeat(64) },
      ...(authKey === undefined ? {} : { Auth: { AuthKey: authKey } }),
    })
    if (status !== 200) throw new Error(`register: ${body.toString()}`)
    return JSON.parse(body.toString()) as RegisterResponse
  }

  /** Tells its endpoints. Returns whether the server took them. */
  async tell(endpoints: readonly string[]): Promise<boolean> {
    const { status } = await this.#post('/machine/map', {
      ...this.#mapRequest(),
      OmitPeers: true,
      Endpoints: endpoints,
      Hostinfo: { Hostname: this.hostname, OS: 'linux', NetInfo: { PreferredDERP: 900, WorkingUDP: true } },
    })
    return status === 200
  }

  /** Opens the map stream; its messages go to {@link LightClient.onMap}. */
  follow(): void {
    const reader = new MapFrameReader(MESSAGE_LIMIT)
    this.#http?.post(
      '/machine/map',
      JSON.stringify({ ...this.#mapRequest(), Stream: true, KeepAlive: true }),
      {
        onStatus: (status) => {
          if (status !== 200) this.close()
        },
        onData: (chunk) => {
          reader.feed(chunk)
          for (let message = reader.read(); message; message = reader.read()) this.onMap(message)
        },
        onEnd: () => this.close(),
      },
    )
  }

  /** Hangs up without a word. */
  close(): void {
    this.#socket?.destroy()
  }

  #mapRequest(): object {
    return {
      Version: CAPABILITY_VERSION,
      Compress: this.compress,
      NodeKey: this.nodeKey,
      DiscoKey: this.discoKey,
    }
  }

  #post(path: string, body: object): Promise<{ readonly status: number; readonly body: Buffer }> {
    return new Promise((resolve, reject) => {
      let status = -1
      const chunks: Uint8Array[] = []
      const http = this.#http
      if (!http) return reject(new Error('there is no connection'))
      http.post(path, JSON.stringify(body), {
        onStatus: (code) => (status = code),
        onData: (chunk) => chunks.push(Buffer.from(chunk)),
        onEnd: () =>
          status === -1
            ? reject(new Error('the server hung up'))
            : resolve({ status, body: Buffer.concat(chunks) }),
      })
    })
  }

  #run(socket: Socket, transport: RecordTransport, rest: Uint8Array): void {
    const early = new EarlyPayloadReader()
    let isEarly = true
    const http = new TinyHttp2((bytes) => {
      const sealed = transport.seal(bytes)
      if (sealed) socket.write(sealed)
    })
    const take = (plain: Uint8Array): void => {
      let bytes = plain
      if (isEarly) {
        const result = early.feed(plain)
        if (result.kind === 'bad') return void socket.destroy()
        if (result.kind === 'more') return
        isEarly = false
        bytes = result.rest
      }
      if (bytes.length > 0 && !http.feed(bytes)) socket.destroy()
    }
    const open = (chunk: Uint8Array): void => {
      transport.feed(chunk)
      for (let plain = transport.read(); plain; plain = transport.read()) take(plain)
      if (transport.broken) socket.destroy()
    }
    this.#socket = socket
    this.#http = http
    socket.on('data', open)
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      http.end()
      // An older connection that goes when a newer one is there is no loss.
      if (this.#http !== http) return
      this.#http = undefined
      this.onGone()
    })
    if (rest.length > 0) open(rest)
    socket.resume()
  }
}

/** Returns the key that a control server shows. */
export async function keyOf(url: string): Promise<ControlAddress> {
  const response = await fetch(`${url}/key?v=${CAPABILITY_VERSION}`)
  const { publicKey } = (await response.json()) as { publicKey: string }
  const { hostname, port } = new URL(url)
  return { host: hostname, port: Number(port), key: new Uint8Array(Buffer.from(publicKey.slice(5), 'hex')) }
}

/** Sends the upgrade, and returns the socket with everything behind the answer's headers: at least Noise's response. */
function upgrade(host: string, port: number, handshake: string): Promise<{ socket: Socket; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true })
    let held = Buffer.alloc(0)
    const fail = (): void => reject(new Error('the server refuses'))
    socket.on('error', fail)
    socket.on('close', fail)
    socket.on('connect', () => {
      const upgradeHeaders = 'Upgrade: tailscale-control-protocol\r\nConnection: upgrade'
      socket.write(
        `POST /ts2021 HTTP/1.1\r\nHost: control\r\n${upgradeHeaders}\r\nX-Tailscale-Handshake: ${handshake}\r\nContent-Length: 0\r\n\r\n`,
      )
    })
    const take = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk])
      const end = held.indexOf('\r\n\r\n')
      if (end === -1) return
      if (!held.subarray(0, 12).equals(SWITCHING)) return void socket.destroy()
      const rest = held.subarray(end + 4)
      if (rest.length < RESPONSE_LENGTH) return
      socket.pause()
      socket.off('data', take)
      socket.off('close', fail)
      resolve({ socket, rest })
    }
    socket.on('data', take)
  })
}

const SWITCHING = Buffer.from('HTTP/1.1 101')

function hex(): string {
  return Buffer.from(systemRandom(32)).toString('hex')
}
