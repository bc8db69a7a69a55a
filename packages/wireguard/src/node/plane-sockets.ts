// The sockets of a Linux data plane as the control thread uses them: sends of its own go straight out, what the packet
// thread hands up comes in. The shape is that of magicsock's DatagramSocket seat, so that paths can be found over them.
import { MSG_DONTWAIT } from '@mesh/linux'
import { Arena, describeErrno, linuxCalls, unsupportedReason } from '@mesh/linux/node'
import type { Endpoint } from '@mesh/wire/ip'
import { fromAnyAddress, type UnderlayEndpoint } from '../underlay-endpoint.ts'
import { encodePacketInfo, mayBlameLocal } from './packet-info.ts'
import type { PlaneSocketNumbers } from './plane-messages.ts'
import { encodeSocketAddress, endpointKey } from './socket-address.ts'
import { openUdpPort, openUdpPorts, setDontFragment, type UdpPort, type UdpPortOptions } from './udp-port.ts'

/** Who listens to {@link PlaneSockets}. */
export interface PlaneSocketsListener {
  /** Takes a datagram that is not transport data. `from` is the same object for the same source, mostly. */
  onDatagram(bytes: Uint8Array, from: Endpoint): void
  /** Hears of a send that failed: the system's name for it, and where to. */
  onTrouble(trouble: { readonly code: string; readonly to: Endpoint | undefined }): void
}

const MAX_DATAGRAM = 65_507
/** How many sources are remembered as objects; beyond it the memory begins anew. */
const MAX_SOURCES = 4_096
/** How many port numbers are tried until both families have the same. */
const MAX_PAIRS = 8
/** Where things lie in the arena: message header, iovec, name, control data, datagram. */
const HEADER = 0
const IOVEC = 64
const NAME = 128
const CONTROL = 192
const DATAGRAM = 256

/** UDP of both families on one port. */
export class PlaneSockets {
  readonly #calls = linuxCalls()
  readonly #arena = new Arena(new SharedArrayBuffer(DATAGRAM + MAX_DATAGRAM))
  readonly #options: UdpPortOptions
  readonly #threads: number
  readonly #use: (groups: readonly PlaneSocketNumbers[]) => Promise<void>
  readonly #sources = new Map<string, Endpoint>()
  /** One for each thread. */
  #v4: readonly UdpPort[] = []
  #v6: readonly UdpPort[] = []
  #listener: PlaneSocketsListener | undefined
  /** The port of the sockets opened last. */
  #port = 0
  #isWhole = false
  #closed = false
  /** Closing takes time: what was asked for later begins when that is done. */
  #changing: Promise<unknown> = Promise.resolve()

  /**
   * @param threads - How many threads receive: each has a socket of its own, on the same port.
   * @param use - Hears which sockets there are now, and resolves once nobody uses those before.
   * @throws Error in one sentence when the port cannot be had.
   */
  constructor(
    port: number,
    options: UdpPortOptions,
    threads: number,
    use: (groups: readonly PlaneSocketNumbers[]) => Promise<void>,
  ) {
    this.#options = options
    this.#threads = threads
    this.#use = use
    this.#open(port)
  }

  /** The ports bound now; `undefined` where the family has no socket. */
  get ports(): { readonly v4: number | undefined; readonly v6: number | undefined } {
    return { v4: this.#v4[0]?.port, v6: this.#v6[0]?.port }
  }

  /** What each receiving thread must know of them. */
  get groups(): readonly PlaneSocketNumbers[] {
    const numbers = (thread: number): PlaneSocketNumbers => ({
      v4: this.#v4[thread]?.fd ?? -1,
      v6: this.#v6[thread]?.fd ?? -1,
      segments: this.#v4[thread]?.segments === true,
    })
    return Array.from({ length: this.#threads }, (_, thread) => numbers(thread))
  }

  /** Whether anybody listens. */
  get heard(): boolean {
    return this.#listener !== undefined
  }

  /** Names the one listener. */
  listen(listener: PlaneSocketsListener): void {
    this.#listener = listener
  }

  /** Sends a datagram (lent) at once, or drops it. */
  send(bytes: Uint8Array, to: UnderlayEndpoint): void {
    const socket = (to.address.length === 4 ? this.#v4 : this.#v6)[0]
    if (socket === undefined || bytes.length > MAX_DATAGRAM) return
    const arena = this.#arena
    const name = encodeSocketAddress(to)
    arena.bytes.set(name, NAME)
    arena.bytes.set(bytes, DATAGRAM)
    arena.setIovec(IOVEC, DATAGRAM, bytes.length)
    const from = to.local === undefined ? new Uint8Array(0) : encodePacketInfo(to.local)
    arena.bytes.set(from, CONTROL)
    const control = { offset: CONTROL, length: from.length }
    arena.setMessage(HEADER, IOVEC, 1, { offset: NAME, length: name.length }, control)
    const sent = this.#calls.sendmsg(socket.fd, arena, HEADER, MSG_DONTWAIT)
    if (to.local !== undefined && mayBlameLocal(sent)) return this.send(bytes, fromAnyAddress(to))
    if (sent < 0) this.fail(sent, to)
  }

  /** Has datagrams sent whole or not at all, or (initially) cut up where that must be. Returns whether that is so now. */
  setDontFragment(whole: boolean): boolean {
    this.#isWhole = whole
    return this.#keepWhole()
  }

  /** Tells the listener of a send that failed with a negative error number. */
  fail(result: number, to: Endpoint): void {
    this.#listener?.onTrouble({
      code: describeErrno(result).split(':')[0] ?? 'UNKNOWN',
      to: this.#sameObject(to),
    })
  }

  /** Hands a datagram to the listener. */
  receive(bytes: Uint8Array, from: Endpoint): void {
    this.#listener?.onDatagram(bytes, this.#sameObject(from))
  }

  /**
   * Opens the sockets again, on the same port unless somebody else has taken it. What is sent meanwhile is lost.
   *
   * @throws Error when none can be opened: there are no sockets then, and it may be tried again.
   */
  rebind(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#closeBoth()
      if (this.#closed) return
      try {
        this.#open(this.#port)
      } catch {
        this.#open(0)
      }
      await this.#use(this.groups)
    })
  }

  /** Goes over to another port, 0 for any. @throws Error when it cannot be had: the sockets there are go on. */
  moveTo(port: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return
      const before = [...this.#v4, ...this.#v6]
      this.#open(port)
      await this.#use(this.groups)
      for (const { fd } of before) this.#calls.close(fd)
    })
  }

  /** Closes both. Harmless when repeated. */
  close(): Promise<void> {
    this.#listener = undefined
    this.#closed = true
    return this.#inTurn(() => this.#closeBoth())
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change)
    this.#changing = done.catch(() => undefined)
    return done
  }

  /** A number that is closed too early may name another file next: first everybody lets go of it. */
  async #closeBoth(): Promise<void> {
    const taken = [...this.#v4, ...this.#v6]
    this.#v4 = []
    this.#v6 = []
    await this.#use(this.groups)
    for (const { fd } of taken) this.#calls.close(fd)
  }

  #open(port: number): void {
    const reason = unsupportedReason()
    if (reason !== undefined) throw new Error(`no Linux data plane: ${reason}`)
    for (let attempt = 1; ; attempt += 1) {
      const v4 = openUdpPorts('v4', port, this.#threads, this.#options)
      if (typeof v4 === 'number') throw bindError(port, v4)
      const bound = v4[0]?.port ?? 0
      const v6 =
        this.#options.address === undefined ? openUdpPorts('v6', bound, this.#threads, this.#options) : []
      if (typeof v6 === 'number' && port === 0 && attempt < MAX_PAIRS && hasIpv6()) {
        for (const { fd } of v4) this.#calls.close(fd)
        continue
      }
      this.#v4 = v4
      this.#v6 = typeof v6 === 'number' ? [] : v6
      this.#port = bound
      this.#keepWhole()
      return
    }
  }

  #keepWhole(): boolean {
    const v4 = this.#v4.map(({ fd }) => setDontFragment('v4', fd, this.#isWhole))
    const v6 = this.#v6.map(({ fd }) => setDontFragment('v6', fd, this.#isWhole))
    return [...v4, ...v6].every(Boolean)
  }

  #sameObject(endpoint: Endpoint): Endpoint {
    const key = endpointKey(endpoint)
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    if (this.#sources.size === MAX_SOURCES) this.#sources.clear()
    this.#sources.set(key, endpoint)
    return endpoint
  }
}

/** The error with the system's name for it as `code`, as Node's own have it. */
function bindError(port: number, result: number): Error {
  const reason = describeErrno(result)
  return Object.assign(new Error(`UDP port ${port}: ${reason}`), { code: reason.split(':')[0], port })
}

/** Whether a port for IPv6 can be had at all. */
function hasIpv6(): boolean {
  const port = openUdpPort('v6', 0)
  if (typeof port === 'number') return false
  linuxCalls().close(port.fd)
  return true
}
