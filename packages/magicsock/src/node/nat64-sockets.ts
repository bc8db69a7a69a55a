// UDP sockets of a machine that has IPv6 only, in a network that translates to IPv4 (NAT64, RFC 6146): an IPv4 address
// is reached at a prefix and its four bytes behind (RFC 6052). With this in front of the sockets the machine above sends
// to IPv4 endpoints, hears from them, and learns from STUN how it looks to them, as if it had IPv4.
import type { Endpoint } from '@mesh/wire/ip'
import type { DatagramListener, DatagramSocket, SocketPorts } from '../datagram-socket.ts'

/** Bytes of the prefix: /96, the length for whole networks and the one in use. */
const PREFIX_LENGTH = 12

/** A {@link DatagramSocket} in front of another. */
export class Nat64Sockets implements DatagramSocket {
  readonly #sockets: DatagramSocket
  #prefix: Uint8Array | undefined
  /** IPv4 endpoints to where they are reached, and back: one object stays one object. */
  #outer = new WeakMap<Endpoint, Endpoint>()
  #inner = new WeakMap<Endpoint, Endpoint>()

  constructor(sockets: DatagramSocket) {
    this.#sockets = sockets
  }

  /** Takes the prefix, 12 bytes or more; `undefined` where nothing is translated. Returns whether it is another one. */
  setPrefix(prefix: Uint8Array | undefined): boolean {
    const next = prefix?.slice(0, PREFIX_LENGTH)
    if (next?.join() === this.#prefix?.join()) return false
    this.#prefix = next
    this.#outer = new WeakMap()
    this.#inner = new WeakMap()
    return true
  }

  get ports(): SocketPorts {
    const { v4, v6 } = this.#sockets.ports
    return this.#prefix === undefined ? { v4, v6 } : { v4: v6, v6, isV4Translated: true }
  }

  listen(listener: DatagramListener): void {
    this.#sockets.listen({
      onDatagram: (bytes, from) => listener.onDatagram(bytes, this.toInner(from)),
      onTrouble: ({ code, to }) => listener.onTrouble({ code, to: to && this.toInner(to) }),
    })
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    this.#sockets.send(bytes, this.toOuter(to))
  }

  setDontFragment(whole: boolean): boolean {
    return this.#sockets.setDontFragment?.(whole) ?? !whole
  }

  rebind(): Promise<void> {
    return this.#sockets.rebind()
  }

  close(): Promise<void> {
    return this.#sockets.close()
  }

  /** Returns where an endpoint is reached on the wire. */
  toOuter(endpoint: Endpoint): Endpoint {
    const prefix = this.#prefix
    if (prefix === undefined || endpoint.address.length !== 4) return endpoint
    let outer = this.#outer.get(endpoint)
    if (outer === undefined) {
      outer = { address: Uint8Array.of(...prefix, ...endpoint.address), port: endpoint.port }
      this.#outer.set(endpoint, outer)
    }
    return outer
  }

  /** Returns which endpoint it is that is seen on the wire. */
  toInner(endpoint: Endpoint): Endpoint {
    const prefix = this.#prefix
    if (prefix === undefined || !isTranslated(endpoint.address, prefix)) return endpoint
    let inner = this.#inner.get(endpoint)
    if (inner === undefined) {
      inner = { address: endpoint.address.slice(PREFIX_LENGTH), port: endpoint.port }
      this.#inner.set(endpoint, inner)
    }
    return inner
  }
}

function isTranslated(address: Uint8Array, prefix: Uint8Array): boolean {
  return address.length === 16 && prefix.every((byte, i) => address[i] === byte)
}
