// A control server of a few lines for the machine's timelines: it reads what the client asks and answers in kind.
import { drain, seededRandom } from '@mesh/sansio'
import {
  decodeJson,
  decodeMapRequest,
  decodeRegisterRequest,
  encodeJson,
  encodeMapResponse,
  type MapRequest,
  type MapResponse,
  type RegisterRequest,
  type RegisterResponse,
} from '@mesh/wire/control'
import {
  ControlClient,
  ControlError,
  type ControlClientOptions,
  type ControlEvent,
  type ControlOutput,
} from '../src/index.ts'

export const NOW = Date.UTC(2026, 0, 2)
export const NODE_KEY: Uint8Array = new Uint8Array(32).fill(0x42)

/** A client, its clock, and everything it said. */
export class Timeline {
  readonly client: ControlClient
  readonly events: ControlEvent[] = []
  readonly outputs: ControlOutput[] = []
  now = 0
  /** Whether new node keys can be kept. */
  keeps = true

  constructor(options: Partial<ControlClientOptions> = {}) {
    this.client = new ControlClient({
      nodeKey: NODE_KEY,
      discoKey: `discokey:${'17'.repeat(32)}`,
      hostinfo: { OS: 'linux', Hostname: 'a' },
      authKey: 'tskey-auth-good',
      random: seededRandom(7),
      wallNow: () => NOW + this.now,
      ...options,
    })
  }

  /** Starts and connects; the register request is on its way. */
  connected(): this {
    this.client.start(this.now)
    this.take()
    this.client.handleConnected(this.now)
    this.take()
    return this
  }

  /** Goes on until the map stream is up. */
  following(response: MapResponse = SNAPSHOT): this {
    this.connected()
    this.answer('register', {})
    this.map(response)
    return this
  }

  /** Drains the client; returns what it said. */
  take(): ControlOutput[] {
    const outputs = drain(this.client)
    this.outputs.push(...outputs)
    for (const output of outputs) {
      if (output.kind === 'event') this.events.push(output)
      if (output.kind === 'keep') this.#keep(output.nodeKey)
    }
    return outputs
  }

  #keep(nodeKey: Uint8Array): void {
    if (this.keeps) this.client.handleKept(nodeKey, this.now)
    else this.client.handleNotKept(new ControlError('ERR_CONTROL_KEY_NOT_KEPT', 'disk full'), this.now)
    this.take()
  }

  /** Turns the clock, waking the client whenever it asks. */
  turnTo(time: number): void {
    while (this.client.pollTimeout() <= time) {
      this.now = Math.max(this.now, this.client.pollTimeout())
      this.client.handleTimeout(this.now)
      this.take()
    }
    this.now = time
  }

  /** The requests that were sent for a purpose, oldest first. */
  requests(kind: 'register'): { id: number; body: RegisterRequest }[]
  requests(kind: 'map' | 'report'): { id: number; body: MapRequest }[]
  requests(kind: string): { id: number; body: unknown }[] {
    const found: { id: number; body: unknown }[] = []
    for (const output of this.outputs) {
      if (output.kind !== 'request') continue
      const request = readRequest(output)
      if (request.kind === kind) found.push({ id: output.id, body: request.body })
    }
    return found
  }

  /** Answers the latest register request. */
  answer(_kind: 'register', response: Partial<RegisterResponse>): void {
    const id = this.requests('register').at(-1)!.id
    this.client.handleResponse(id, 200, this.now)
    this.client.handleData(id, encodeJson(response), this.now)
    this.client.handleEnd(id, undefined, this.now)
    this.take()
  }

  /** Ends a request with a status and some words. */
  refuse(id: number, status: number, words = ''): void {
    this.client.handleResponse(id, status, this.now)
    this.client.handleData(id, new TextEncoder().encode(words), this.now)
    this.client.handleEnd(id, undefined, this.now)
    this.take()
  }

  /** Sends a message on the latest map stream. */
  map(response: MapResponse): void {
    const id = this.requests('map').at(-1)!.id
    this.client.handleResponse(id, 200, this.now)
    this.feed(response)
  }

  /** Sends a further message on the latest map stream. */
  feed(response: MapResponse): void {
    this.client.handleData(this.requests('map').at(-1)!.id, encodeMapResponse(response), this.now)
    this.take()
  }

  /** The trouble told so far. */
  get troubles(): { code: string; retryIn: number }[] {
    return this.events.flatMap((event) =>
      event.event === 'trouble' ? [{ code: event.error.code, retryIn: event.retryIn }] : [],
    )
  }
}

function readRequest(output: { path: string; body: Uint8Array }): { kind: string; body: unknown } {
  if (output.path === '/machine/register') {
    return { kind: 'register', body: decodeJson(output.body, decodeRegisterRequest) }
  }
  const body = decodeJson(output.body, decodeMapRequest)
  return { kind: body?.Stream === true ? 'map' : 'report', body }
}

export const SNAPSHOT: MapResponse = {
  Node: {
    ID: 7,
    StableID: 'n7',
    Name: 'a.mesh.example.',
    User: 1,
    Key: `nodekey:${'07'.repeat(32)}`,
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
      Addresses: ['100.64.0.8/32'],
      Online: true,
    },
  ],
  Domain: 'mesh.example',
}
