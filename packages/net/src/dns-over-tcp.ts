// DNS over TCP at the service addresses (data-plane.md section 8.9, checklist F8; RFC 7766): a stack that has these two
// addresses and this one port. The queries of a connection are answered as the answers come, in whatever order.
import { frameMessage, MessageReader, SERVICE_ADDRESS, SERVICE_ADDRESS_V6 } from '@mesh/dns'
import { Netstack, type NetstackOutput, type TcpConnectionId } from '@mesh/netstack'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'

const DNS_PORT = 53
/** The longest query, in bytes. */
const MAX_QUERY = 4096
/** How long a connection may bring no whole query, in milliseconds. */
const IDLE = 45_000
/** Connections at once; one more takes the place of the one that has been quiet for longest. */
const MAX_CONNECTIONS = 64

/** Answers a query: calls `reply` once, sooner or later, with nothing when there is no answer to give. */
export type AnswerQuery = (query: Uint8Array, reply: (message: Uint8Array | undefined) => void) => void

/** What it is made of. */
export interface DnsOverTcpOptions {
  readonly clock: Clock
  readonly random: RandomSource
  /** Takes a packet for the host. */
  readonly toHost: (packet: Uint8Array) => void
  readonly answer: AnswerQuery
}

interface Client {
  readonly reader: MessageReader
  /** Queries without an answer yet. */
  waiting: number
  /** Whether no more queries are taken: it is done once the last answer is out. */
  isEnding: boolean
  /** When it has been quiet for too long. */
  quietAt: number
}

/** Answers whoever connects to the service addresses. */
export class DnsOverTcp {
  readonly #stack: Netstack
  readonly #clock: Clock
  readonly #driver: Driver
  readonly #toHost: (packet: Uint8Array) => void
  readonly #answer: AnswerQuery
  /** The one that has been quiet for longest comes first. */
  readonly #clients = new Map<TcpConnectionId, Client>()
  #stopWatching: (() => void) | undefined

  constructor({ clock, random, toHost, answer }: DnsOverTcpOptions) {
    this.#clock = clock
    this.#toHost = toHost
    this.#answer = answer
    this.#stack = new Netstack({ addresses: [SERVICE_ADDRESS, SERVICE_ADDRESS_V6], random })
    this.#stack.listenTcp({ port: DNS_PORT })
    this.#driver = drive(this.#stack, clock, (output) => this.#perform(output))
  }

  /** Takes a TCP packet for a service address. It is not kept. */
  handlePacket(packet: Uint8Array): void {
    this.#stack.handlePacket(packet, this.#clock.now())
    this.#driver.wake()
  }

  /** Forgets all connections without a word. */
  close(): void {
    this.#driver.close()
    this.#stopWatching?.()
    this.#clients.clear()
  }

  #perform(output: NetstackOutput): void {
    if (output.kind === 'packet') this.#toHost(output.packet)
    if (output.kind === 'tcp-accepted') this.#accept(output.connection)
    if (output.kind === 'tcp-data') this.#read(output.connection, output.bytes)
    if (output.kind === 'tcp-ended') this.#handleEnd(output.connection)
    if (output.kind === 'tcp-closed') this.#clients.delete(output.connection)
  }

  #accept(id: TcpConnectionId): void {
    const [quietest] = this.#clients.keys()
    if (quietest !== undefined && this.#clients.size === MAX_CONNECTIONS) this.#abort(quietest)
    this.#clients.set(id, { reader: new MessageReader(MAX_QUERY), waiting: 0, isEnding: false, quietAt: 0 })
    this.#noteActivity(id)
  }

  #read(id: TcpConnectionId, bytes: Uint8Array): void {
    this.#stack.consumeTcp(id, bytes.length, this.#clock.now())
    const client = this.#clients.get(id)
    if (!client || client.isEnding) return
    client.reader.push(bytes)
    // An answer may be there at once, and be one that ends the connection.
    while (this.#clients.has(id)) {
      const query = client.reader.next()
      if (query === undefined) break
      client.waiting += 1
      this.#noteActivity(id)
      this.#answer(query, (message) => this.#reply(id, message))
    }
    if (client.reader.isTooLong) this.#abort(id)
  }

  #reply(id: TcpConnectionId, message: Uint8Array | undefined): void {
    const client = this.#clients.get(id)
    if (!client) return
    client.waiting -= 1
    // No answer at all would leave it waiting, and one that takes no answers must not have them kept for it.
    if (!message || !this.#send(id, frameMessage(message))) this.#abort(id)
    else this.#endIfDone(id, client)
    this.#driver.wake()
  }

  #send(id: TcpConnectionId, bytes: Uint8Array): boolean {
    return this.#stack.sendTcp(id, bytes, this.#clock.now()) === bytes.length
  }

  #handleEnd(id: TcpConnectionId): void {
    const client = this.#clients.get(id)
    if (!client) return
    client.isEnding = true
    this.#endIfDone(id, client)
  }

  #endIfDone(id: TcpConnectionId, { isEnding, waiting }: Client): void {
    if (isEnding && waiting === 0) this.#stack.endTcp(id, this.#clock.now())
  }

  #abort(id: TcpConnectionId): void {
    this.#clients.delete(id)
    this.#stack.abortTcp(id, this.#clock.now())
  }

  #noteActivity(id: TcpConnectionId): void {
    const client = this.#clients.get(id)
    if (!client) return
    client.quietAt = this.#clock.now() + IDLE
    this.#clients.delete(id)
    this.#clients.set(id, client)
    this.#watch()
  }

  /** One timer, for the one that has been quiet for longest. */
  #watch(): void {
    const [first] = this.#clients.values()
    if (!first || this.#stopWatching) return
    this.#stopWatching = this.#clock.at(first.quietAt, () => {
      this.#stopWatching = undefined
      this.#endQuiet(this.#clock.now())
      this.#driver.wake()
      this.#watch()
    })
  }

  /** Ends those that are quiet; who does not end its own side by the next time is hung up on. */
  #endQuiet(now: number): void {
    for (const [id, client] of this.#clients) {
      if (client.quietAt > now) return
      if (client.isEnding) this.#abort(id)
      else {
        this.#noteActivity(id)
        this.#handleEnd(id)
      }
    }
  }
}
