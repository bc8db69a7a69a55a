// Magicsocks of one host, one for each cell of the table in which the host stands, with real relay connections. Orders
// come in as lines of JSON, news goes out as lines of JSON; see site.ts.
import { createInterface } from 'node:readline'
import { connectDerp } from '@mesh/derp-client/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import type { RelayMap } from '@mesh/magicsock'
import { type MagicSockHandle, openMagicSock, type RelayHandlers, type RelayLink } from '@mesh/magicsock/node'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { formatEndpoint, parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { type Introduction, type Order, RELAY_PORT, RELAYS, type Saying } from './site.ts'

/** How often a packet goes to the peer, to have a path looked for. */
const CHATTER_INTERVAL = 500
/** How often the path is looked at. */
const LOOK_INTERVAL = 50
/** Pause between the packets of a burst: a relay's queue is short. */
const BURST_PAUSE = 20
const PEER = 1
/** What DNS would say, if there were any in the lab. */
const NAT64 = parseAddress(process.env['LAB_NAT64'] ?? '')?.slice(0, 12)

/** The relays of this town: `magicsocks ADDRESS ADDRESS`. */
const relays = process.argv.length > 2 ? process.argv.slice(2) : [...RELAYS]
const relayMap: RelayMap = new Map(
  relays.map((text, index) => {
    const addresses = text.split(',').map((each) => parseAddress(each))
    const ipv4 = addresses.find((address) => address?.length === 4)
    const ipv6 = addresses.find((address) => address?.length === 16)
    const node = { name: text, hostName: text, ipv4, ipv6, stunPort: 0 }
    const id = index + 1
    return [id, { id, code: `r${id}`, noMeasureNoHome: false, score: 1, nodes: [node] }]
  }),
)

class Cell {
  readonly #name: string
  readonly #privateKey = generatePrivateKey(systemRandom)
  /** Numbers of the packets that have come, by their length. */
  readonly #heard = new Map<number, Set<number>>()
  #sock: MagicSockHandle | undefined
  #chatter: NodeJS.Timeout | undefined
  #direct = false
  #portMapping: string | undefined

  constructor(name: string) {
    this.#name = name
  }

  async open(portMapping: boolean, port: number): Promise<void> {
    const nodeKey = publicKeyOf(this.#privateKey)
    const sock = await openMagicSock({
      keys: { nodeKey },
      relays: { map: relayMap, connect: (region, handlers) => this.#connect(region, handlers) },
      onPacket: (bytes) => this.#hear(bytes),
      portMapping,
      port,
      onEvent: () => this.#tellPortMapping(),
      x25519: nodeCrypto,
      findNat64: () => Promise.resolve(NAT64),
    })
    this.#sock = sock
    await sock.netcheck()
    say({
      said: 'ready',
      cell: this.#name,
      nodeKey: hex(nodeKey),
      discoKey: hex(sock.discoKey),
      endpoints: sock.endpoints.map((local) => formatEndpoint(local.endpoint)),
      homeRelay: sock.homeRelay,
    })
  }

  meet({ nodeKey, discoKey, endpoints, homeRelay }: Introduction): void {
    const began = performance.now()
    this.#sock?.setPeers([
      {
        id: PEER,
        nodeKey: Buffer.from(nodeKey, 'hex'),
        discoKey: Buffer.from(discoKey, 'hex'),
        endpoints: endpoints.flatMap((text) => parseEndpoint(text) ?? []),
        homeRelay,
      },
    ])
    this.#chat()
    setInterval(() => this.#look(began), LOOK_INTERVAL)
  }

  rest(duration: number): void {
    clearInterval(this.#chatter)
    setTimeout(() => this.#chat(), duration)
  }

  async burst(length: number, count: number): Promise<void> {
    clearInterval(this.#chatter)
    for (let number = 0; number < count; number += 1) {
      this.#sock?.send(PEER, packet(length, number))
      await new Promise<void>((resolve) => setTimeout(resolve, BURST_PAUSE))
    }
  }

  tell(length: number): void {
    say({ said: 'heard', cell: this.#name, length, count: this.#heard.get(length)?.size ?? 0 })
  }

  #chat(): void {
    const chat = (): void => void this.#sock?.send(PEER, packet(100, 0))
    chat()
    this.#chatter = setInterval(chat, CHATTER_INTERVAL)
  }

  #tellPortMapping(): void {
    const mapping = this.#sock?.portMapping
    const external = mapping && formatEndpoint(mapping.external)
    if (external === this.#portMapping) return
    this.#portMapping = external
    say({ said: 'port-map', cell: this.#name, service: mapping?.service, external })
  }

  #look(began: number): void {
    const direct = this.#sock?.status(PEER)?.endpoint !== undefined
    if (direct === this.#direct) return
    this.#direct = direct
    say({ said: 'path', cell: this.#name, direct, after: Math.round(performance.now() - began) })
  }

  #hear(bytes: Uint8Array): void {
    const numbers = this.#heard.get(bytes.length) ?? new Set()
    numbers.add(bytes[1] ?? 0)
    this.#heard.set(bytes.length, numbers)
  }

  #connect(region: number, handlers: RelayHandlers): RelayLink {
    const hostName = relays[region - 1] ?? ''
    const connection = connectDerp({
      region: {
        RegionID: region,
        Nodes: [{ Name: hostName, HostName: hostName, DERPPort: RELAY_PORT, ...familyOf(hostName) }],
      },
      privateKey: this.#privateKey,
      plain: true,
      x25519: nodeCrypto,
    })
    connection.onPacket((source, bytes) => handlers.onPacket(source, bytes))
    connection.onPeerGone((nodeKey) => handlers.onPeerGone(nodeKey))
    connection.onEvent((event) => (event.event === 'disconnected' ? handlers.onLost() : handlers.onAlive()))
    return {
      send: (to, bytes) => connection.send(to, bytes),
      notePreferred: (preferred) => connection.notePreferred(preferred),
      noteNetworkChange: () => connection.ping(),
      close: () => connection.close(),
    }
  }
}

/** Which addresses a relay has, in the words of a DERP map. */
function familyOf(addresses: string): { readonly IPv4: string; readonly IPv6: string } {
  const list = addresses.split(',')
  const IPv4 = list.find((address) => !address.includes(':')) ?? 'none'
  return { IPv4, IPv6: list.find((address) => address.includes(':')) ?? 'none' }
}

/** Returns what looks like WireGuard's data, with its number in the second byte. */
function packet(length: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes[0] = 4
  bytes[1] = number
  return bytes
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

function say(saying: Saying): void {
  console.log(JSON.stringify(saying))
}

const cells = new Map<string, Cell>()

function follow(order: Order): void {
  const cell = cells.get(order.cell) ?? new Cell(order.cell)
  cells.set(order.cell, cell)
  switch (order.order) {
    case 'open':
      return void cell.open(order.portMapping === true, order.port ?? 0)
    case 'meet':
      return cell.meet(order.peer)
    case 'rest':
      return cell.rest(order.duration)
    case 'burst':
      return void cell.burst(order.length, order.count)
    case 'tell':
      return cell.tell(order.length)
  }
}

createInterface(process.stdin).on('line', (line) => follow(JSON.parse(line) as Order))
process.on('SIGTERM', () => process.exit(0))
