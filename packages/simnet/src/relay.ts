// A relay as its clients see it: packets go by key, in order, without loss, while it is up and both ends reach it. What
// a real one does to bytes on the way (frames, boxes, TLS) is tested with the real one.
import type { SimHost } from './host.ts'
import type { World } from './world.ts'

/** A client's end of a relay. */
export interface RelayPort {
  /** Called with each packet that arrives, and the key of who sent it. */
  onPacket: ((source: Uint8Array, bytes: Uint8Array, now: number) => void) | undefined
  /** Called when the relay is asked for a key that is not there. */
  onPeerGone: ((key: Uint8Array, now: number) => void) | undefined
  /** Called when the relay has restarted: the client is not joined any more. */
  onLost: ((now: number) => void) | undefined
  /** Sends a copy of `bytes` to whoever is there under that key. */
  send(to: Uint8Array, bytes: Uint8Array): void
  /** Leaves; nothing arrives any more. */
  leave(): void
}

/** How a relay is. */
export interface RelayOptions {
  /** Milliseconds from one client to another; 30 when not given. */
  readonly latency?: number
}

interface Client {
  readonly key: Uint8Array
  readonly name: string
  readonly host: SimHost | undefined
  readonly port: RelayPort
}

/** A relay in a {@link SimNet}; made by `net.relay`. */
export class SimRelay {
  /** Milliseconds from one client to another; may be changed at any time. */
  latency: number
  /** False takes the relay away: what is sent or under way is lost, the clients stay. May be changed at any time. */
  up = true
  readonly #world: World
  readonly #clients = new Map<string, Client>()

  /** @internal */
  constructor(world: World, options: RelayOptions) {
    this.#world = world
    this.latency = options.latency ?? 30
  }

  /**
   * Joins under a key. Who was there under the same key no longer receives.
   *
   * @param host - Where the client is: it is cut off while that host is not online. Always online when not given.
   */
  join(key: Uint8Array, host?: SimHost): RelayPort {
    const own = key.slice()
    const name = nameOf(own)
    const port: RelayPort = {
      onPacket: undefined,
      onPeerGone: undefined,
      onLost: undefined,
      send: (to, bytes) => this.#send(client, to, bytes.slice()),
      leave: () => {
        if (this.#clients.get(name) === client) this.#clients.delete(name)
      },
    }
    const client: Client = { key: own, name, host, port }
    this.#clients.set(name, client)
    return port
  }

  /** Tells whether somebody is there under a key. */
  has(key: Uint8Array): boolean {
    return this.#clients.has(nameOf(key))
  }

  /** Forgets all clients, and tells them: they may join again when it is up. */
  restart(): void {
    const clients = [...this.#clients.values()]
    this.#clients.clear()
    for (const { port } of clients) port.onLost?.(this.#world.clock.now())
  }

  #send(from: Client, to: Uint8Array, bytes: Uint8Array): void {
    if (!this.#reaches(from)) return
    const { clock } = this.#world
    const wanted = to.slice()
    clock.at(clock.now() + this.latency, () => this.#deliver(from, wanted, bytes))
  }

  #deliver(from: Client, to: Uint8Array, bytes: Uint8Array): void {
    if (!this.up) return
    const now = this.#world.clock.now()
    const receiver = this.#clients.get(nameOf(to))
    if (receiver === undefined) return void (this.#reaches(from) && from.port.onPeerGone?.(to, now))
    if (this.#reaches(receiver)) receiver.port.onPacket?.(from.key, bytes, now)
  }

  #reaches(client: Client): boolean {
    return this.up && this.#clients.get(client.name) === client && client.host?.isOnline !== false
  }
}

function nameOf(key: Uint8Array): string {
  return String.fromCharCode(...key)
}
