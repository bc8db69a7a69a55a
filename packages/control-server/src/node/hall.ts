// Sockets that are nothing yet. Anybody can open them, and the server takes only so many: the oldest of a place makes room for
// its newest, so that no place can keep the others out. A socket that is upgraded leaves: as a machine's connection, or a
// relay's, it is bounded elsewhere (control §9.7.4, threat 26).

import type { Socket } from 'node:net'
import { placeOf } from '../places.ts'
import { Strangers } from './strangers.ts'

/** The most from one place, and from everywhere: nodes that all come back at once must fit. */
const BOUNDS = { fromOnePlace: 1024, together: 12_288 }

/** Knows the sockets that are nothing yet. */
export class Hall {
  readonly #strangers = new Strangers(BOUNDS)
  /** By address and port: behind TLS another object speaks for the same socket. */
  readonly #sockets = new Map<string, Socket>()
  readonly #isProxy: (address: string) => boolean

  /** @param isProxy - Tells whether an address is that of a proxy, which stands for many. */
  constructor(isProxy: (address: string) => boolean) {
    this.#isProxy = isProxy
  }

  /** Takes in a new socket. */
  receive(socket: Socket): void {
    const { remoteAddress = '' } = socket
    const name = nameOf(socket)
    this.#sockets.set(name, socket)
    this.#strangers.add(socket, this.#isProxy(remoteAddress) ? undefined : placeOf(remoteAddress))
    socket.on('close', () => {
      this.#strangers.delete(socket)
      if (this.#sockets.get(name) === socket) this.#sockets.delete(name)
    })
  }

  /** Lets a socket go that was upgraded. */
  release(socket: Socket): void {
    const name = nameOf(socket)
    const known = this.#sockets.get(name)
    if (!known) return
    this.#strangers.delete(known)
    this.#sockets.delete(name)
  }
}

function nameOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
