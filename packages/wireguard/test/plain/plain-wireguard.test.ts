import { nodeCrypto } from '@mesh/noise/node'
import { drain, seededRandom } from '@mesh/sansio'
import { type Endpoint, formatEndpoint, formatPrefix, parseEndpoint } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { packetOf } from '../../src/index.ts'
import { formatKey, type InterfaceChange, type PeerChange, PlainWireGuard } from '../../src/plain/index.ts'
import { marks, packet, prefix, typeOf } from '../support.ts'

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const publicOf = (byte: number): Uint8Array => nodeCrypto.x25519Public(key(byte))
const allow = (...texts: string[]) => texts.map((text) => ({ prefix: prefix(text), remove: false }))

/** Interfaces at endpoints of a network, which can be moved while they run. */
class Net {
  now = 0
  readonly log: { from: string; to: string; type: number }[] = []
  readonly #hosts = new Map<string, Host>()
  readonly #under: { from: string; to: string; bytes: Uint8Array }[] = []
  passes: (type: number) => boolean = () => true

  host(byte: number, at: string, change: InterfaceChange = {}): Host {
    const host = new Host(this, byte, at)
    this.#hosts.set(at, host)
    host.core.apply({ privateKey: key(byte), ...change }, this.now)
    return host
  }

  move(host: Host, to: string): void {
    this.#hosts.delete(host.at)
    host.at = to
    this.#hosts.set(to, host)
  }

  carry(from: string, to: Endpoint, bytes: Uint8Array): void {
    this.log.push({ from, to: formatEndpoint(to), type: typeOf(bytes) })
    if (this.passes(typeOf(bytes))) this.#under.push({ from, to: formatEndpoint(to), bytes })
  }

  inject(from: string, to: string, bytes: Uint8Array): void {
    this.#under.push({ from, to, bytes })
    this.settle()
  }

  settle(): void {
    for (let next = this.#under.shift(); next !== undefined; next = this.#under.shift()) {
      const from = parseEndpoint(next.from)
      if (from !== undefined) this.#hosts.get(next.to)?.core.handleDatagram(next.bytes, from, this.now)
    }
  }

  advance(ms: number): void {
    for (const end = this.now + ms; ; ) {
      const next = Math.min(...[...this.#hosts.values()].map(({ core }) => core.pollTimeout()))
      this.now = Math.min(end, Math.max(this.now, next))
      for (const { core } of this.#hosts.values()) core.handleTimeout(this.now)
      this.settle()
      if (next > end) return
    }
  }
}

class Host {
  at: string
  readonly core: PlainWireGuard
  readonly received: Uint8Array[] = []
  readonly sealed: Uint8Array[] = []
  readonly #net: Net

  constructor(net: Net, byte: number, at: string) {
    this.#net = net
    this.at = at
    this.core = new PlainWireGuard({
      random: seededRandom(byte),
      wallClock: () => 1_700_000_000_000 + net.now,
      crypto: nodeCrypto,
      outputs: {
        toOverlay: (batch) => {
          for (let i = 0; i < batch.count; i += 1) this.received.push(packetOf(batch, i).slice())
        },
        toUnderlay: (batch, endpoint) => {
          for (let i = 0; i < batch.count; i += 1) {
            this.sealed.push(packetOf(batch, i).slice())
            net.carry(this.at, endpoint, packetOf(batch, i).slice())
          }
        },
      },
    })
  }

  send(from: string, to: string, mark = 0): void {
    this.core.handlePacket(packet(from, to, 60, mark), this.#net.now)
    this.#net.settle()
  }

  endpoint(index = 0): string | undefined {
    const { endpoint } = this.core.status(0).peers[index] ?? {}
    return endpoint && formatEndpoint(endpoint)
  }
}

const A = '192.0.2.1:1'
const B = '192.0.2.2:2'
const C = '198.51.100.7:3'

function pair(net: Net, more: Partial<PeerChange> = {}): [Host, Host] {
  const toB = parseEndpoint(B)
  const a = net.host(1, A, {
    peers: [
      {
        publicKey: publicOf(2),
        allowedIps: allow('10.0.0.2/32'),
        ...(toB ? { endpoint: toB } : {}),
        ...more,
      },
    ],
  })
  const b = net.host(2, B, { peers: [{ publicKey: publicOf(1), allowedIps: allow('10.0.0.1/32'), ...more }] })
  return [a, b]
}

describe('a peer with our own key', () => {
  test('is none, and takes no address from anybody; one that was there goes when its key becomes ours', () => {
    const net = new Net()
    const a = net.host(1, A, { peers: [{ publicKey: publicOf(2), allowedIps: allow('10.0.0.2/32') }] })
    const peers = (): string[] =>
      a.core
        .status(0)
        .peers.map(
          ({ publicKey, allowedIps }) => `${formatKey(publicKey)} ${allowedIps.map(formatPrefix).join()}`,
        )
    const before = peers()
    expect(before).toEqual([`${formatKey(publicOf(2))} 10.0.0.2/32`])
    a.core.apply({ peers: [{ publicKey: publicOf(1), allowedIps: allow('10.0.0.2/32') }] }, 0)
    expect(peers()).toEqual(before)
    a.core.apply({ privateKey: key(2) }, 0)
    expect(peers()).toEqual([])
    a.core.apply({ privateKey: key(3), peers: [{ publicKey: publicOf(3) }, { publicKey: publicOf(2) }] }, 0)
    expect(peers()).toEqual([`${formatKey(publicOf(2))} `])
  })
})

describe('roaming', () => {
  test('a peer without an endpoint is answered where it begins from', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    b.send('10.0.0.2', '10.0.0.1', 2)
    expect([marks(b.received), marks(a.received), b.endpoint()]).toEqual([[1], [2], A])
  })

  test('authentic data moves the endpoint, at once and both ways', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    net.move(a, C)
    a.send('10.0.0.1', '10.0.0.2', 2)
    expect(b.endpoint()).toBe(C)
    b.send('10.0.0.2', '10.0.0.1', 3)
    expect(marks(a.received)).toEqual([3])
  })

  test('threat 24: neither a replay, a forgery nor a handshake carried elsewhere moves it', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    const data = a.sealed.at(-1) ?? new Uint8Array()
    net.inject(C, B, data)
    const forged = data.slice()
    forged[20] = (forged[20] ?? 0) ^ 1
    net.inject(C, B, forged)
    expect(b.endpoint()).toBe(A)
    // A true initiation, held back and delivered by somebody else: answered there, but nothing else goes there.
    net.advance(10_000)
    net.passes = (type) => type !== 1
    a.core.startHandshake(publicOf(2), net.now)
    net.passes = () => true
    net.inject(C, B, a.sealed.at(-1) ?? new Uint8Array())
    expect(net.log.at(-1)).toEqual({ from: B, to: C, type: 2 })
    b.send('10.0.0.2', '10.0.0.1', 3)
    expect([b.endpoint(), net.log.at(-1)?.to, marks(a.received)]).toEqual([A, A, [3]])
  })

  test('one that has moved and lost its session comes back by a handshake from its new place', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    net.advance(200_000)
    net.move(a, C)
    a.send('10.0.0.1', '10.0.0.2', 2)
    expect([marks(b.received), b.endpoint()]).toEqual([[1, 2], C])
  })

  test('an endpoint that is set late is tried at once', () => {
    const net = new Net()
    const a = net.host(1, A, { peers: [{ publicKey: publicOf(2), allowedIps: allow('10.0.0.2/32') }] })
    const b = net.host(2, B, { peers: [{ publicKey: publicOf(1), allowedIps: allow('10.0.0.1/32') }] })
    a.send('10.0.0.1', '10.0.0.2', 1)
    expect(net.log).toEqual([])
    const endpoint = parseEndpoint(B)
    if (endpoint !== undefined) a.core.apply({ peers: [{ publicKey: publicOf(2), endpoint }] }, net.now)
    net.settle()
    expect([marks(b.received), net.now]).toEqual([[1], 0])
  })
})

describe('settings that change', () => {
  test('an address has one owner: the last peer it was given to, and inside it the one with the longer prefix', () => {
    const net = new Net()
    const [a, b] = pair(net)
    b.core.apply({ peers: [{ publicKey: publicOf(1), allowedIps: allow('10.0.0.0/24') }] }, 0)
    a.send('10.0.0.77', '10.0.0.2', 1)
    expect(marks(b.received)).toEqual([1])
    const other = { publicKey: publicOf(9), allowedIps: allow('10.0.0.77/32', '10.0.0.1/32') }
    b.core.apply({ peers: [other] }, 0)
    a.send('10.0.0.77', '10.0.0.2', 2)
    a.send('10.0.0.78', '10.0.0.2', 3)
    expect(marks(b.received)).toEqual([1, 3])
    expect(b.core.status(0).peers.map(({ allowedIps }) => allowedIps.map(formatPrefix))).toEqual([
      ['10.0.0.0/24'],
      ['10.0.0.77/32', '10.0.0.1/32'],
    ])
    b.core.apply(
      { peers: [{ publicKey: publicOf(9), allowedIps: [{ prefix: prefix('10.0.0.77/32'), remove: true }] }] },
      0,
    )
    a.send('10.0.0.77', '10.0.0.2', 4)
    expect(marks(b.received)).toEqual([1, 3, 4])
  })

  test('peers that stay keep their session when all are replaced; those that are gone have none', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    b.core.apply(
      { replacePeers: true, peers: [{ publicKey: publicOf(1), allowedIps: allow('10.0.0.1/32') }] },
      0,
    )
    a.send('10.0.0.1', '10.0.0.2', 2)
    expect([marks(b.received), net.log.filter(({ type }) => type === 1).length]).toEqual([[1, 2], 1])
    b.core.apply({ replacePeers: true }, 0)
    a.send('10.0.0.1', '10.0.0.2', 3)
    expect([marks(b.received), b.core.status(0).peers]).toEqual([[1, 2], []])
    b.core.apply({ peers: [{ publicKey: publicOf(1), updateOnly: true }] }, 0)
    expect(b.core.status(0).peers).toEqual([])
  })

  test('a peer that stays is still where it was heard, and a new endpoint is where it is from now on', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    const stays = { publicKey: publicOf(1), allowedIps: allow('10.0.0.1/32') }
    b.core.apply({ replacePeers: true, peers: [stays] }, 0)
    b.send('10.0.0.2', '10.0.0.1', 2)
    expect([marks(a.received), b.endpoint()]).toEqual([[2], A])
    const moved = parseEndpoint('192.0.2.99:1')!
    b.core.apply({ replacePeers: true, peers: [{ ...stays, endpoint: moved }] }, 0)
    expect(b.endpoint()).toBe('192.0.2.99:1')
  })

  test('without a private key nobody is talked to; with another one everybody is met anew', () => {
    const net = new Net()
    const [a, b] = pair(net)
    a.send('10.0.0.1', '10.0.0.2', 1)
    a.core.apply({ privateKey: key(0) }, 0)
    expect([a.core.publicKey, a.core.status(0).privateKey]).toEqual([undefined, undefined])
    a.send('10.0.0.1', '10.0.0.2', 2)
    expect(marks(b.received)).toEqual([1])
    a.core.apply({ privateKey: key(3) }, 0)
    b.core.apply(
      { replacePeers: true, peers: [{ publicKey: publicOf(3), allowedIps: allow('10.0.0.1/32') }] },
      0,
    )
    a.send('10.0.0.1', '10.0.0.2', 3)
    expect([marks(b.received), a.core.publicKey]).toEqual([[1, 3], publicOf(3)])
  })

  test('a pre-shared key and a keepalive are used as set, and shown', () => {
    const net = new Net()
    const [a, b] = pair(net, { presharedKey: key(7), keepalive: 25 })
    net.advance(60_000)
    const types = net.log.filter(({ from }) => from === A).map(({ type }) => type)
    expect(types).toEqual([1, 4, 4, 4])
    expect(a.core.status(net.now).peers[0]).toMatchObject({
      presharedKey: key(7),
      keepalive: 25,
      lastHandshakeTime: 1_700_000_000_000,
    })
    expect(drain(b.core)).toEqual([{ event: 'established', peer: formatKey(publicOf(1)) }])
  })
})
