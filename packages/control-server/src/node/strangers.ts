// Connections whose machine has not yet shown that it is in the network: anybody can open them. They are few, and few
// an address, and the oldest makes room for the newest, so that nobody is locked out (control §9.7.4, threat 26).

/** The most from one address; many nodes may share one, and each is done within moments. */
const MAX_FROM_ONE_ADDRESS = 256
/** The most from everywhere, which is also the bound behind a proxy on this machine. */
const MAX_TOGETHER = 4096

/** Something that can be ended. */
interface Connection {
  destroy(): void
}

/** Knows the connections of strangers, oldest first. */
export class Strangers {
  readonly #addresses = new Map<Connection, string>()
  readonly #byAddress = new Map<string, Set<Connection>>()

  /** Notes a new connection; when there are too many, the oldest one is ended. */
  add(connection: Connection, address: string): void {
    const neighbours = this.#byAddress.get(address) ?? new Set()
    this.#byAddress.set(address, neighbours.add(connection))
    this.#addresses.set(connection, address)
    if (neighbours.size > MAX_FROM_ONE_ADDRESS && !isLoopback(address)) this.#end(neighbours)
    if (this.#addresses.size > MAX_TOGETHER) this.#end(this.#addresses.keys())
  }

  /** Forgets a connection: it is no stranger's any more, or it is gone. */
  delete(connection: Connection): void {
    const address = this.#addresses.get(connection)
    if (address === undefined) return
    this.#addresses.delete(connection)
    const neighbours = this.#byAddress.get(address)
    neighbours?.delete(connection)
    if (neighbours?.size === 0) this.#byAddress.delete(address)
  }

  #end(connections: Iterable<Connection>): void {
    const [oldest] = connections
    if (!oldest) return
    this.delete(oldest)
    oldest.destroy()
  }
}

/** A proxy on this machine stands for everybody. */
function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}
