// A relay as its clients see it: packets go by key, in order, without loss, while it is up. What a real one does to
// bytes on the way (frames, boxes, TLS) is tested with the real one.
import type { World } from './world.ts'

/** A client's end of a relay. */
export interface RelayPort {
  /** Called with each packet that arrives, and the key of who sent it. */
  onPacket: ((source: Uint8Array, bytes: Uint8Array, now: number) => void) | undefined
  /** Sends a copy of `bytes` to whoever is there under that key; to nobody if nobody is. */
  send(to: Uint8Array, bytes: Uint8Array): void
  /** Leaves; nothing arrives any more. */
  leave(): void
}

/** How a relay is. */
export interface RelayOptions {
  /** Milliseconds from one client to another; 30 when not given. */
  readonly latency?: number
}

/** A relay in a {@link SimNet}; made by `net.relay`. */
export class SimRelay {
  /** Milliseconds from one client to another; may be changed at any time. */
  latency: number
  /** False takes the relay down: what is sent or under way is lost, the clients stay. */
  up = true
  readonly #world: World
  readonly #ports = new Map<string, RelayPort>()

  /** @internal */
  constructor(world: World, options: RelayOptions) {
    this.#world = world
    this.latency = options.latency ?? 30
  }

  /** Joins under a key. Who was there under the same key no longer receives. */
  join(key: Uint8Array): RelayPort {
    const own = key.slice()
    const port: RelayPort = {
      onPacket: undefined,
      send: (to, bytes) => this.#send(own, String(to), bytes.slice()),
      leave: () => {
        if (this.#ports.get(String(own)) === port) this.#ports.delete(String(own))
      },
    }
    this.#ports.set(String(own), port)
    return port
  }

  /** Tells whether somebody is there under a key. */
  has(key: Uint8Array): boolean {
    return this.#ports.has(String(key))
  }

  #send(source: Uint8Array, to: string, bytes: Uint8Array): void {
    if (!this.up) return
    const { clock } = this.#world
    clock.at(clock.now() + this.latency, () => {
      if (this.up) this.#ports.get(to)?.onPacket?.(source, bytes, clock.now())
    })
  }
}
